//! Every operation with every scope: the table's answer, from the description of the interface.
use crate::support::browser::Browser;
use crate::support::garrison::text;
use crate::support::http::{Api, send};
use crate::support::world::World;
use garrison::http::{Permission, Permissions, Role};
use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

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

/// A body that an operation on access takes.
pub fn body(path: &str) -> Option<Value> {
    Some(match path {
        "/api/tokens" => json!({"scopes": ["read"]}),
        "/api/users" => json!({"email": "new@example.org", "role": "viewer"}),
        "/api/users/{id}" => json!({"role": "viewer"}),
        "/api/tenants" => json!({"name": "mine"}),
        "/api/me/password" => json!({"current": "x", "new": "y"}),
        "/api/auth/logout" => json!({}),
        "/api/me/totp/confirm" => json!({"code": "1"}),
        path if path.starts_with("/api/me/") => json!({"password": "x"}),
        path if ["users", "tokens", "invitations", "tenants"]
            .iter()
            .any(|p| path.contains(p)) =>
        {
            json!({})
        }
        _ => return None,
    })
}

/// An operation's path with `id` in every place that it leaves open.
pub fn fill(path: &str, id: &str) -> String {
    static PLACES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[^}]+\}").expect("pattern"));
    PLACES.replace_all(path, id).into_owned()
}

/// Whether the operation lets who has `may` in; with a request that changes nothing.
pub async fn asks(
    call: impl Fn(&str, &str) -> reqwest::RequestBuilder,
    operation: &Guarded,
    may: Permissions,
    who: &str,
) {
    let path = fill(&operation.path.replace("{ip}", "192.0.2.1"), "4000000");
    let what = format!("{} {} as {who}", operation.method, operation.path);
    let request = call(&operation.method, &path);
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
            asks(|method, path| api.request(method, path), operation, may, &shown).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_may_what_the_table_says() {
    let world = World::start().await;
    let operations = guarded(&world).await;
    for role in Role::ALL {
        let email = format!("{}@example.org", role.name());
        let mut browser = Browser::member(&world, &email, "default", role.name()).await;
        let me = browser.get("/api/me").await.expect(200).json();
        assert_eq!(me["role"], role.name());
        for operation in &operations {
            let call = |method: &str, path: &str| browser.request(method, path);
            asks(call, operation, role.permissions(), role.name()).await;
        }
        // without what belongs to the session nothing is changed, whatever the role
        browser.csrf = None;
        for operation in operations.iter().filter(|o| o.method != "GET") {
            let path = operation.path.replace(['{', '}'], "");
            let answer = send(browser.request(&operation.method, &path).json(&json!({}))).await;
            assert_eq!(answer.status, 403, "{} {path}", operation.method);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platforms_admin_acts_in_a_tenant_only_when_they_say_so() {
    let world = World::start().await;
    world.tenant("acme").await;
    let root = Browser::person(&world, &["user", "add", "root@example.org", "--platform-admin"]).await;
    let tenants = root.get("/api/tenants").await.expect(200).json();
    assert_eq!(tenants.as_array().expect("a list").len(), 2);
    let operations = guarded(&world).await;
    for operation in &operations {
        let may = Permissions::platform();
        asks(
            |method, path| root.request(method, path),
            operation,
            may,
            "platform",
        )
        .await;
        let there = |method: &str, path: &str| root.request(method, path).header("x-garrison-tenant", "acme");
        asks(
            there,
            operation,
            may.and(Permissions::admin()),
            "platform in acme",
        )
        .await;
    }
    let made = send(
        root.request("POST", "/api/allowlists")
            .header("x-garrison-tenant", "acme")
            .json(&json!({"name": "office"})),
    );
    made.await.expect(201);
    let named = |name: &'static str| {
        send(
            root.request("GET", "/api/allowlists")
                .header("x-garrison-tenant", name),
        )
    };
    assert_eq!(named("acme").await.expect(200).json()[0]["name"], "office");
    assert_eq!(named("default").await.expect(200).json(), json!([]));
    let absent = named("nobody").await.expect(404);
    // a tenant is made, renamed and suspended by the API
    let made = send(
        root.request("POST", "/api/tenants")
            .json(&json!({"name": "umbrella"})),
    )
    .await
    .expect(201)
    .json();
    assert!(text(&made, "enrollmentKey").starts_with("garrisonkey"), "{made}");
    let rules = send(
        root.request("GET", "/api/filters")
            .header("x-garrison-tenant", "umbrella"),
    )
    .await;
    assert!(
        !rules.expect(200).json()["rules"]
            .as_array()
            .expect("rules")
            .is_empty()
    );
    send(
        root.request("POST", "/api/tenants")
            .json(&json!({"name": "umbrella"})),
    )
    .await
    .expect(409);
    let path = format!("/api/tenants/{}", text(&made, "id"));
    let change = |body: serde_json::Value| send(root.request("PATCH", &path).json(&body));
    change(json!({"name": "acme"})).await.expect(409);
    change(json!({"name": " "})).await.expect(400);
    let changed = change(json!({"name": "Umbrella Ltd", "suspended": true, "forwardEnabled": false}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&changed["name"], &changed["forwardEnabled"]),
        (&json!("Umbrella Ltd"), &json!(false))
    );
    assert!(changed["suspendedAt"].is_string());
    assert!(change(json!({"suspended": false})).await.expect(200).json()["suspendedAt"].is_null());
    // whoever is no platform's admin cannot tell a tenant from a name
    let ada = Browser::member(&world, "ada@example.org", "default", "admin").await;
    let theirs = |name: &'static str| {
        send(
            ada.request("GET", "/api/allowlists")
                .header("x-garrison-tenant", name),
        )
    };
    assert_eq!(theirs("acme").await.expect(404).body, absent.body);
    assert_eq!(theirs("nobody").await.expect(404).body, absent.body);
    theirs("default").await.expect(200);
    ada.get("/api/tenants").await.expect(403);
}
