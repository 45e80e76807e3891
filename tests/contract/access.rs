//! The table of who may call what, held against the description of the interface.
use garrison::api::openapi;
use garrison::http::access::{self, Access};
use serde_json::Value;
use std::collections::BTreeSet;

/// Paths that the router has and the description has not: probes' neighbours and the pages of the description itself.
const UNDESCRIBED: [&str; 6] = [
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/",
    "/docs/{*rest}",
    "/docs/openapi.json",
];

fn operations() -> Vec<(String, String, Value)> {
    let document = serde_json::to_value(openapi()).expect("a document");
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["get", "put", "post", "delete", "patch"] {
            if let Some(operation) = item.get(method) {
                all.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    all
}

#[test]
fn every_operation_is_in_the_table_and_says_what_it_needs() {
    for (method, path, operation) in operations() {
        let access = access::of(&method, &path);
        let access =
            access.unwrap_or_else(|| panic!("{method} {path} is not in the table: nobody may call it"));
        let shown = operation["x-garrison-permission"].as_str();
        assert_eq!(shown, access.shown(), "{method} {path}");
        let statuses = &operation["responses"];
        if shown.is_some() {
            assert!(
                statuses["401"].is_object() && statuses["403"].is_object(),
                "{method} {path}"
            );
            assert!(
                operation["security"]
                    .as_array()
                    .is_some_and(|ways| ways.len() > 1),
                "{method} {path}"
            );
        }
        if path.starts_with("/api/") && access != Access::Open {
            assert!(
                matches!(access, Access::Any) || shown.is_some(),
                "{method} {path}: {access:?}"
            );
        }
    }
}

#[test]
fn the_table_has_nothing_that_is_not_there() {
    let there: BTreeSet<_> = operations()
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    for (method, path, _) in access::all() {
        let known = there.contains(&(method.to_owned(), path.to_owned())) || UNDESCRIBED.contains(&path);
        assert!(known, "{method} {path} is no operation");
    }
}
