//! What the description says of every operation alike: who may call it, and how it is refused.

use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema};

use super::is_engine_path;
use crate::http::access::{self, Access};

/// The name of the schema of an engine's refusal.
pub(super) const MESSAGE: &str = "Message";

/// What layers and the guard refuse, on top of what the operation itself names.
pub(super) fn complete(operation: &mut Operation, method: &str, path: &str) {
    let access = access::of(method, path);
    let engines = is_engine_path(path);
    show_access(operation, access);
    refuse(operation, engines, &of_everybody(operation, path));
    if access.is_some_and(|access| access.shown().is_some()) {
        refuse(operation, engines, &OF_THE_GUARD);
    }
    show_bodies(operation, engines);
    name_problems(operation);
    if path == "/login" {
        show_forms(operation);
    }
}

/// What the guard refuses.
const OF_THE_GUARD: [(&str, &str); 2] = [
    ("403", "without the permission, or not from this address"),
    ("404", "no such tenant"),
];

/// What may happen to any request of this kind before, or instead of, the handler.
fn of_everybody(operation: &Operation, path: &str) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("431", "the head of the request is too large")];
    if !["/health", "/healthz", "/readyz"].contains(&path) {
        all.push(("408", "the request took too long"));
        all.push(("503", "not right now: `Retry-After` says when"));
    }
    if is_engine_path(path) || path.starts_with("/api/") {
        all.push(("429", "more than the quota, or too much at a time"));
    }
    if operation.request_body.is_some() {
        all.push(("400", "the body cannot be read"));
        all.push(("413", "the body is too large"));
        all.push(("415", "a media type or an encoding that is not read"));
    }
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    if !parameters.is_empty() {
        all.push(("400", "a parameter that cannot be"));
    }
    if path.contains('{') {
        all.push(("404", "not there, or not yours; or no spelling of a path"));
    }
    all
}

fn refuse(operation: &mut Operation, engines: bool, refusals: &[(&str, &str)]) {
    let responses = &mut operation.responses.responses;
    for (status, why) in refusals {
        if !responses.contains_key(*status) {
            let response = ResponseBuilder::new().description(*why);
            let response = if *status == "431" {
                // Without a body where the head could not be read at all.
                response.build()
            } else {
                response.content("application/json", refusal(engines)).build()
            };
            responses.insert((*status).to_owned(), RefOr::T(response));
        }
    }
}

fn refusal(engines: bool) -> Content {
    let name = if engines { MESSAGE } else { "Problem" };
    let schema = Ref::from_schema_name(name);
    ContentBuilder::new().schema(Some(schema)).build()
}

/// How `CrowdSec`'s clients are told of an error.
pub(super) fn message() -> Schema {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let object = ObjectBuilder::new()
        .description(Some("A refusal as CrowdSec's clients read it."))
        .property("message", text)
        .required("message")
        .build();
    Schema::Object(object)
}

/// An engine's refusals have all the same shape.
fn show_bodies(operation: &mut Operation, engines: bool) {
    let refusals = operation.responses.responses.iter_mut();
    for (_, response) in
        refusals.filter(|(status, _)| engines && status.starts_with(['4', '5']) && *status != "431")
    {
        if let RefOr::T(Response { content, .. }) = response
            && content.is_empty()
        {
            content.insert("application/json".to_owned(), RefOr::T(refusal(true)));
        }
    }
}

/// Who sends a form is shown the form again.
fn show_forms(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
        {
            let page = ObjectBuilder::new().schema_type(Type::String).build();
            let page = ContentBuilder::new().schema(Some(page)).build();
            response.content.insert("text/html".to_owned(), RefOr::T(page));
        }
    }
}

/// Says what an operation asks of its caller.
fn show_access(operation: &mut Operation, access: Option<Access>) {
    let Some(access) = access else { return };
    if matches!(access, Access::Open | Access::Login) {
        operation
            .security
            .get_or_insert_with(|| vec![SecurityRequirement::default()]);
    }
    if let Some(permission) = access.shown() {
        let extensions = operation.extensions.get_or_insert_with(Extensions::default);
        extensions.insert("x-garrison-permission".to_owned(), json!(permission));
    }
}

/// Problem documents have a media type of their own (RFC 9457, 3).
fn name_problems(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let is_problem = |content: &RefOr<Content>| {
            let RefOr::T(content) = content else { return false };
            let reference = content.schema.as_ref();
            matches!(reference, Some(RefOr::Ref(to)) if to.ref_location.ends_with("/Problem"))
        };
        if response.content.get("application/json").is_some_and(is_problem)
            && let Some(content) = response.content.shift_remove("application/json")
        {
            response
                .content
                .insert("application/problem+json".to_owned(), content);
        }
    }
}
