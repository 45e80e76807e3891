//! Every operation with every scope: the table's answer, from the description of the interface.
use crate::support::garrison::text;
use crate::support::http::{Api, send};
use crate::support::world::World;
use garrison::http::{Permission, Permissions};
use serde_json::json;

/// An operation that needs a permission.
pub struct Guarded {
    pub method: String,
    pub path: String,
    pub permission: Permission,
}

/// Those of `/openapi.json`.
pub async fn guarded(world: &World) -> Vec<Guarded> {
    let api = Api::new(world.server().url(), None);
    let document = api.get("/openapi.json").await.expect(200).json();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["get", "put", "post", "delete", "patch"] {
            let Some(name) = item[method]["x-garrison-permission"].as_str() else {
                continue;
            };
            all.push(Guarded {
                method: method.to_uppercase(),
                path: path.clone(),
                permission: Permission::from_name(name).expect("a permission"),
            });
        }
    }
    assert!(all.len() > 60, "only {} operations need a permission", all.len());
    all
}

/// Whether the operation lets who has `may` in; with a request that changes nothing.
pub async fn asks(api: &Api, operation: &Guarded, may: Permissions, who: &str) {
    let braces = regex::Regex::new(r"\{[^}]+\}").expect("pattern");
    let path = operation.path.replace("{ip}", "192.0.2.1");
    let path = braces.replace_all(&path, "4000000").into_owned();
    let what = format!("{} {} as {who}", operation.method, operation.path);
    let request = api.request(&operation.method, &path);
    if operation.path == "/api/events" {
        // It does not end.
        let status = request.send().await.expect("an answer").status();
        let expected = if may.has(operation.permission) { 200 } else { 403 };
        assert_eq!(status, expected, "{what}");
        return;
    }
    let request = match operation.method.as_str() {
        "GET" | "DELETE" => request,
        _ => request.json(&json!({"nothing": true})),
    };
    let answer = send(request).await;
    if may.has(operation.permission) {
        assert!(
            !matches!(answer.status, 401 | 403),
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(answer.status < 500, "{what}: {} {}", answer.status, answer.text());
    } else {
        assert_eq!(answer.status, 403, "{what}: {}", answer.text());
        let problem = answer.json();
        if operation.permission.is_platforms() || problem["permission"].is_string() {
            assert_eq!(problem["permission"], operation.permission.name(), "{what}");
            assert_eq!(problem["type"], "/problems/missing-permission", "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scope_opens_what_the_table_says() {
    let world = World::start().await;
    let operations = guarded(&world).await;
    let of_tenant = Permission::ALL.iter().filter(|p| !p.is_platforms());
    let mut scopes: Vec<Vec<&str>> = of_tenant.map(|p| vec![p.name()]).collect();
    scopes.extend([vec!["read"], vec!["admin"], vec!["read", "decisions:lift"]]);
    for names in scopes {
        let may = Permissions::from_scopes(names.iter().copied()).expect("scopes");
        let made = world
            .api()
            .post("/api/tokens", &json!({"scopes": names}))
            .await
            .expect(201);
        let api = world.server().api(Some(&text(&made.json(), "token")));
        let me = api.get("/api/me").await.expect(200).json();
        let told: Vec<&str> = me["permissions"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|p| p.as_str())
            .collect();
        assert_eq!(told, may.names().collect::<Vec<_>>());
        let shown = names.join(" ");
        for operation in &operations {
            asks(&api, operation, may, &shown).await;
        }
    }
}
