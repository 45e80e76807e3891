//! Every operation of `/openapi.json` without credentials, with another tenant's, with too few rights.
use super::access::fill;
use crate::support::garrison::text;
use crate::support::http::{Answer, Api};
use crate::support::machine::signal;
use crate::support::world::{Tenant, World, rule};
use serde_json::{Value, json};

/// Operations that are meant for anyone.
fn is_open(method: &str, path: &str) -> bool {
    let documents = ["/health", "/healthz", "/readyz", "/metrics", "/openapi.json"];
    let before_login = ["/watchers", "/watchers/login", "/watchers/reset"];
    match method {
        // before there is a session
        "GET" if path.starts_with("/api/auth/") => true,
        // a link is its own credential
        "GET" => documents.contains(&path) || path.starts_with("/docs") || path == "/links/{token}",
        "POST" => {
            ["/v2", "/v3"]
            .iter()
            .any(|v| path.strip_prefix(v).is_some_and(|p| before_login.contains(&p)))
            // what is shown there is its own credential
            || ["/api/invitations/accept", "/api/password/reset", "/login"].contains(&path)
            || path == "/api/auth/backchannel-logout"
        }
        _ => false,
    }
}

/// What must be among them.
const NEEDED: &str = "
    /api/alerts /api/alerts/{id} /api/alerts/export /api/events /api/filters /api/filters/{id}
    /api/filters/test /api/machines /api/machines/{id} /links/{token} /api/lapi-servers
    /api/lapi-servers/{name} /api/analyzers /api/analyzers/{id} /api/analyzers/{id}/run
    /api/analyzers/{id}/runs /api/decisions /api/decisions/ban /api/decisions/{id} /api/allowlists
    /api/allowlists/{name} /api/allowlists/{name}/entries /api/decisions/coverage /api/ips/{ip}/explain
    /api/ip-info/{ip} /api/stats /api/stats/distribution /api/stats/decisions /api/stats/heatmap
    /api/stats/map /api/stats/timeline /api/feeds /api/feeds/{name} /api/feeds/{name}/tokens
    /api/feeds/{name}/tokens/{id} /api/bouncer-metrics /api/bouncer-metrics/names /api/retention /health /v3/signals
    /v2/signals /v1/usage-metrics /api/tokens /api/tokens/{id} /api/tokens/{id}/rotate /api/users /api/users/{id}
    /api/users/{id}/reset-password /api/invitations /api/invitations/{id} /api/me /api/tenants /api/tenants/{id}
    /api/auth/login /api/auth/callback /api/auth/session /api/auth/logout /api/auth/backchannel-logout
    /api/audit /api/audit/export /api/v1/audit /api/tenants/{id}/template /api/tenants/{id}/usage /api/tenants/{id}/limits /api/usage
";

async fn operations(world: &World) -> Vec<(String, String)> {
    let document = Api::new(world.server().url(), None)
        .get("/openapi.json")
        .await
        .expect(200)
        .json();
    assert!(
        document["openapi"].as_str().is_some_and(|v| v.starts_with("3.1")),
        "OpenAPI {}",
        document["openapi"]
    );
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["get", "put", "post", "delete", "patch"] {
            if item.get(method).is_some() {
                all.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    for needed in NEEDED.split_whitespace() {
        assert!(
            all.iter().any(|(_, p)| p == needed),
            "{needed} is not in the document"
        );
    }
    all
}

async fn call(api: &Api, method: &str, path: &str) -> Answer {
    let request = api.request(method, path);
    let request = if method == "GET" {
        request
    } else {
        request.json(&json!({}))
    };
    crate::support::http::send(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_without_a_credential_is_401() {
    let world = World::start().await;
    let nobody = Api::new(world.server().url(), None);
    let mut refused = 0;
    for (method, path) in operations(&world).await {
        let concrete = fill(&path, "1");
        let answer = call(&nobody, &method, &concrete).await;
        if is_open(&method, &path) {
            assert_ne!(answer.status, 500, "{method} {path}");
            continue;
        }
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
        for token in ["x", "eyJhbGciOiJub25lIn0.e30."] {
            let answer = call(&nobody.with(Some(token)), &method, &concrete).await;
            assert_eq!(
                answer.status,
                401,
                "{method} {path} with `{token}`: {}",
                answer.text()
            );
        }
        refused += 1;
    }
    assert!(refused >= 15, "only {refused} operations are guarded");
    // and what no document names is 404, for anyone
    for path in [
        "/",
        "/api",
        "/api/nothing",
        "/admin",
        "/v1/alerts",
        "/.env",
        "/api/tenants/1",
    ] {
        let answer = nobody.get(path).await;
        assert!(
            matches!(answer.status, 401 | 404),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
}

/// A LAPI server that is not there.
fn server(name: &str) -> Value {
    let url = format!("http://127.0.0.1:{}/", crate::support::free_port());
    json!({"name": name, "url": url, "apiKey": "k", "machineId": "m", "password": "p"})
}

/// An analyzer of a store that is not there; off, so that it does nothing by itself.
fn analyzer(id: &str) -> Value {
    let url = format!("http://127.0.0.1:{}/", crate::support::free_port());
    json!({"id": id, "name": id, "enabled": false, "source": {"type": "loki", "url": url, "query": "{a=\"b\"}"},
        "extraction": {"fields": {"ip": "ip"}}, "detection": {"groupby": "ip", "threshold": 5},
        "decision": {"duration": "1h", "scenario": "x"}})
}

/// A body that the operation takes.
fn body(path: &str) -> Value {
    match path {
        "/api/lapi-servers" => server("mine"),
        "/api/machines/{id}" => json!({"deliver": true}),
        "/api/lapi-servers/{name}" => {
            let mut body = server("mine");
            body.as_object_mut().expect("object").remove("name");
            body
        }
        path if path.starts_with("/api/analyzers") => analyzer("mine"),
        "/api/decisions/ban" => {
            json!({"server": "theirs", "ip": "192.0.2.1", "duration": "1h", "reason": "x"})
        }
        "/api/decisions/{id}" | "/api/decisions/unban" => json!({"reason": "x", "ip": "192.0.2.1"}),
        "/api/allowlists" => json!({"name": "mine"}),
        "/api/allowlists/{name}" => json!({}),
        "/api/allowlists/{name}/entries" => json!({"entries": [{"value": "192.0.2.1"}]}),
        "/api/feeds" => json!({"name": "mine"}),
        "/api/retention" => json!({"alerts": 20}),
        path if path.starts_with("/api/feeds/") => Value::Null,
        "/api/filters" | "/api/filters/{id}" => rule("mine now", "scenario", "eq", json!("y")),
        _ => super::access::body(path).unwrap_or_else(|| panic!("teach this test about {path}")),
    }
}

/// One thing of the tenant's for each path with an id.
async fn belongings(world: &World, tenant: &Tenant) -> Vec<(&'static str, String)> {
    let api = world.api_of(tenant);
    let machine = world.machine(&tenant.name).await;
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    let alert = text(&world.wait_alerts(&api, "", 1, 5).await[0], "id");
    let made = api
        .post("/api/filters", &rule("theirs", "scenario", "eq", json!("x")))
        .await;
    assert!((200..300).contains(&made.status), "{}", made.text());
    api.post("/api/lapi-servers", &server("theirs")).await.expect(201);
    api.post("/api/allowlists", &json!({"name": "theirs"}))
        .await
        .expect(201);
    api.post("/api/analyzers", &analyzer("theirs")).await.expect(201);
    let entry = json!({"entries": [{"value": "203.0.113.1"}]});
    api.post("/api/allowlists/theirs/entries", &entry)
        .await
        .expect(200);
    let metrics = json!({"remediation_components": [{"name": "theirs", "metrics": []}]});
    let told = machine.call(world.server().address, "POST", "/v3/usage-metrics");
    crate::support::http::send(told.json(&metrics)).await.expect(200);
    let machines = api.get("/api/machines").await.expect(200).json();
    let api_token = api
        .post("/api/tokens", &json!({"name": "theirs", "scopes": ["read"]}))
        .await
        .expect(201);
    let invited = api
        .post(
            "/api/users",
            &json!({"email": "guest@example.org", "role": "viewer"}),
        )
        .await
        .expect(201);
    let email = format!("{}@example.org", tenant.name);
    let person = world
        .cli
        .json(&["user", "add", &email, "--tenant", &tenant.name, "--role", "admin"])
        .await;
    // Named as its token is numbered, so that one word fills both places of a path.
    api.post("/api/feeds", &json!({"name": "1"})).await.expect(201);
    let token = api.post("/api/feeds/1/tokens", &Value::Null).await.expect(201);
    assert_eq!(text(&token.json(), "id"), "1");
    vec![
        ("/api/feeds/{name}", "1".to_owned()),
        ("/api/feeds/{name}/tokens", "1".to_owned()),
        ("/api/feeds/{name}/tokens/{id}", "1".to_owned()),
        ("/api/alerts/{id}", alert),
        ("/api/analyzers/{id}", "theirs".to_owned()),
        ("/api/analyzers/{id}/run", "theirs".to_owned()),
        ("/api/analyzers/{id}/runs", "theirs".to_owned()),
        ("/api/allowlists/{name}", "theirs".to_owned()),
        (
            "/api/allowlists/{name}/entries?value=203.0.113.1",
            "theirs".to_owned(),
        ),
        ("/api/filters/{id}", text(&made.json(), "id")),
        ("/api/lapi-servers/{name}", "theirs".to_owned()),
        ("/api/machines/{id}", text(&machines[0], "id")),
        ("/api/decisions/{id}?server=theirs", "1".to_owned()),
        ("/api/tokens/{id}", text(&api_token.json(), "id")),
        ("/api/tokens/{id}/rotate", text(&api_token.json(), "id")),
        ("/api/users/{id}", text(&person, "id")),
        ("/api/users/{id}/reset-password", text(&person, "id")),
        ("/api/invitations/{id}", text(&invited.json(), "id")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_ids_are_404_and_untouched() {
    let world = World::start().await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let theirs = belongings(&world, &acme).await;
    let (owner, stranger) = (world.api_of(&acme), world.api_of(&umbrella));
    let mut tried = 0;
    for (method, path) in operations(&world).await {
        // an address is nobody's: tests/fleet/explain.rs shows that nothing of another tenant is told of it, and what
        // tests/manage/ipinfo.rs asks is told the same to everybody
        let of_addresses = ["/api/ips/{ip}/explain", "/api/ip-info/{ip}"];
        // tenants are the platform's admin's alone: tests/manage/access.rs
        let others = path.starts_with("/api/tenants/") || of_addresses.contains(&path.as_str());
        if !path.contains('{') || !path.starts_with("/api/") || others {
            continue;
        }
        let (at, id) = theirs
            .iter()
            .find(|(p, _)| p.split('?').next() == Some(&path))
            .unwrap_or_else(|| panic!("teach this test about {path}"));
        let with = |id: &str| {
            let request = stranger.request(&method, &fill(at, id));
            if method == "GET" {
                request
            } else {
                request.json(&body(&path))
            }
        };
        let answer = crate::support::http::send(with(id)).await.expect(404);
        let nobodys = match id.parse::<i64>() {
            Ok(n) => (n + 5_000_000).to_string(),
            Err(_) => crate::support::machine::new_uuid(),
        };
        let absent = crate::support::http::send(with(&nobodys)).await.expect(404);
        assert_eq!(
            answer.body, absent.body,
            "{method} {path}: not yours, and not there"
        );
        tried += 1;
    }
    assert!(tried >= 4, "only {tried} operations have ids");
    let ban = stranger
        .post("/api/decisions/ban", &body("/api/decisions/ban"))
        .await;
    assert_eq!(ban.status, 404, "{}", ban.text());
    let shown = |path: &str| {
        ![
            "decisions",
            "/entries",
            "tokens",
            "{id}/run",
            "invitations",
            "users",
        ]
        .iter()
        .any(|part| path.contains(part))
    };
    for (path, id) in theirs.iter().filter(|(path, _)| shown(path)) {
        owner.get(&fill(path, id)).await.expect(200);
    }
    let rule = theirs.iter().find(|(path, _)| *path == "/api/filters/{id}");
    let kept = owner
        .get(&fill("/api/filters/{id}", &rule.expect("a rule").1))
        .await;
    assert_eq!(kept.json()["name"], "theirs");
    let list = owner.get("/api/allowlists/theirs").await.json();
    assert_eq!(list["entryCount"], 1, "{list}");
    let machines = owner.get("/api/machines").await.expect(200).json();
    assert_eq!(machines[0]["deliver"], false);
    // lists hold one's own only
    for path in [
        "/api/alerts?limit=1000&raw=true",
        "/api/alerts/export?raw=true",
        "/api/alerts/export?format=csv",
        "/api/machines",
        "/api/filters",
        "/api/lapi-servers",
        "/api/allowlists",
        "/api/feeds",
        "/api/analyzers?all=true",
        "/api/bouncer-metrics",
        "/api/bouncer-metrics/names",
        "/api/retention",
        "/api/tokens",
        "/api/users",
        "/api/invitations",
        "/api/me",
        "/api/audit",
        "/api/audit/export",
        "/api/audit/export?format=csv",
        "/api/v1/audit",
        "/api/decisions?ip=198.51.100.1",
        "/api/stats?period=all",
        "/api/stats/distribution?period=all",
        "/api/stats/decisions?period=all",
        "/api/stats/map?period=all",
    ] {
        let list = stranger.get(path).await.expect(200).text();
        assert!(
            !list.contains("theirs") && !list.contains("192.0.2.1"),
            "{path}: {list}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_read_scope_reads_and_never_writes() {
    let world = World::start().await;
    let made = world
        .cli
        .json(&["token", "add", "--tenant", "default", "--scope", "read"])
        .await;
    let reader = world.server().api(Some(&text(&made, "token")));
    let before = world.api().get("/api/filters").await.expect(200).json();
    let mut refused = 0;
    for (method, path) in operations(&world).await {
        if !path.starts_with("/api/") || path == "/api/filters/test" || is_open(&method, &path) {
            continue;
        }
        let query = match path.as_str() {
            "/api/decisions" | "/api/decisions/coverage" => "?ip=192.0.2.1",
            _ => "",
        };
        let path_of = path.replace("{ip}", "192.0.2.1");
        let request = reader.request(&method, &format!("{}{query}", fill(&path_of, "1")));
        let body = match (method.as_str(), path.as_str()) {
            ("PUT", "/api/filters") => Some(json!({"mode": "allow"})),
            ("GET" | "DELETE", _) => None,
            _ => Some(body(&path)),
        };
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        if path == "/api/events" {
            // It does not end.
            let status = request.send().await.expect("an answer").status();
            assert_eq!(status, 200, "{method} {path}");
            continue;
        }
        let answer = crate::support::http::send(request).await;
        let of_access = "/api/tokens /api/users /api/invitations /api/tenants /api/audit /api/v1/audit";
        if method == "GET" && !of_access.split(' ').any(|p| path.starts_with(p)) {
            assert!(
                matches!(answer.status, 200 | 404),
                "{method} {path}: {} {}",
                answer.status,
                answer.text()
            );
        } else {
            assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
            refused += 1;
        }
    }
    assert!(refused >= 4, "only {refused} operations write");
    let after: Value = world.api().get("/api/filters").await.expect(200).json();
    assert_eq!(before, after);
}
