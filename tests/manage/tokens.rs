//! API tokens by `/api/tokens`: scopes, networks, rotation, ends.
use crate::support::garrison::text;
use crate::support::http::Api;
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_made_shown_once_used_and_revoked() {
    let world = World::start().await;
    let api = world.api();
    let body = json!({"name": "siem", "scopes": ["decisions:read", "alerts:read"], "expires": "3d"});
    let made = api.post("/api/tokens", &body).await.expect(201).json();
    let (id, secret) = (text(&made, "id"), text(&made, "token"));
    let scanners = regex::Regex::new("^grn_[0-9A-Za-z]{39}$").expect("the pattern of README.md");
    assert!(scanners.is_match(&secret), "{secret}");
    assert_eq!(made["scopes"], json!(["alerts:read", "decisions:read"]));
    assert_eq!(
        (&made["expiresSoon"], &made["lastUsedAt"]),
        (&json!(true), &Value::Null)
    );
    let by = text(&made, "createdBy");
    assert!(by.starts_with("first admin token (token "), "{by}");
    let list = api.get("/api/tokens").await.expect(200);
    assert!(!list.text().contains(&secret), "shown once");
    let program = world.server().api(Some(&secret));
    program.get("/api/alerts").await.expect(200);
    let refused = program.get("/api/machines").await.expect(403).json();
    assert_eq!(refused["permission"], "machines:read");
    assert!(text(&refused, "detail").contains("machines:read"));
    program.post("/api/tokens", &body).await.expect(403);
    let used = || async { !api.get(&format!("/api/tokens/{id}")).await.json()["lastUsedAt"].is_null() };
    wait::until_true("its use is seen", wait::secs(5), used).await;
    // the command line sees the same
    let listed = world.cli.json(&["token", "list"]).await;
    let row = listed
        .as_array()
        .expect("a list")
        .iter()
        .find(|t| text(t, "id") == id);
    assert_eq!(
        row.expect("the token")["scopes"],
        json!(["alerts:read", "decisions:read"])
    );
    api.delete(&format!("/api/tokens/{id}")).await.expect(204);
    api.delete(&format!("/api/tokens/{id}")).await.expect(404);
    let gone = || async { program.get("/api/alerts").await.status == 401 };
    wait::until_true("it is revoked", wait::secs(5), gone).await;
    for (field, wrong) in [
        ("scopes", json!({"scopes": ["god"]})),
        ("scopes", json!({"scopes": []})),
        ("scopes", json!({"scopes": ["tenants:write"]})),
        (
            "networks",
            json!({"scopes": ["read"], "networks": ["everywhere"]}),
        ),
        ("expires", json!({"scopes": ["read"], "expires": "tomorrow"})),
        ("name", json!({"scopes": ["read"], "name": "a\nb"})),
        ("body", json!({"scopes": ["read"], "color": "red"})),
    ] {
        let answer = api.post("/api/tokens", &wrong).await.expect(400).json();
        assert_eq!(answer["errors"][0]["field"], field, "{wrong}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gives_away_what_they_have_not() {
    let world = World::start().await;
    let mint = |scopes: Value| {
        let api = world.api();
        async move {
            let made = api
                .post("/api/tokens", &json!({"scopes": scopes}))
                .await
                .expect(201)
                .json();
            (text(&made, "id"), text(&made, "token"))
        }
    };
    let (strong, _) = mint(json!(["admin"])).await;
    let (_, secret) = mint(json!([
        "tokens:write",
        "users:write",
        "users:read",
        "alerts:read"
    ]))
    .await;
    let clerk = world.server().api(Some(&secret));
    let wish = |scope: &str| json!({"scopes": [scope]});
    clerk.post("/api/tokens", &wish("alerts:read")).await.expect(201);
    for beyond in ["admin", "read", "decisions:write", "tokens:read"] {
        let answer = clerk.post("/api/tokens", &wish(beyond)).await.expect(403).json();
        assert_eq!(
            answer["type"], "/problems/missing-permission",
            "{beyond}: {answer}"
        );
    }
    clerk
        .post(&format!("/api/tokens/{strong}/rotate"), &json!({}))
        .await
        .expect(403);
    for role in ["admin", "viewer", "auditor", "helpdesk"] {
        let body = json!({"email": "eve@example.org", "role": role});
        clerk.post("/api/users", &body).await.expect(403);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_from_its_networks_only() {
    let world = World::start().await;
    let mint = |networks: Value| {
        let api = world.api();
        async move {
            let body = json!({"scopes": ["admin"], "networks": networks});
            text(&api.post("/api/tokens", &body).await.expect(201).json(), "token")
        }
    };
    for (networks, status) in [
        (json!(["127.0.0.0/8"]), 200),
        (json!(["::ffff:127.0.0.1"]), 200),
        (json!(["192.0.2.0/24", "127.0.0.1"]), 200),
        (json!(["192.0.2.0/24"]), 403),
        (json!(["127.0.0.2", "::1"]), 403),
        (json!([]), 200),
    ] {
        let api = world.server().api(Some(&mint(networks.clone()).await));
        let answer = api.get("/api/alerts").await;
        assert_eq!(answer.status, status, "{networks}: {}", answer.text());
        // what it opens elsewhere is bound as well, and what the client says of itself does not count
        let lied = api
            .request("GET", "/api/alerts")
            .header("x-forwarded-for", "192.0.2.7");
        assert_eq!(
            crate::support::http::send(lied).await.status,
            status,
            "{networks}"
        );
        let feed = api.get("/api/feeds/none").await.status;
        assert_eq!(feed, if status == 200 { 404 } else { 403 }, "{networks}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_leaves_no_gap() {
    let world = World::with(2, &[]).await;
    let api = world.api();
    let body = json!({"name": "siem", "scopes": ["alerts:read"], "expires": "90d"});
    let first = api.post("/api/tokens", &body).await.expect(201).json();
    let rotate = |made: &Value, body: Value| {
        let path = format!("/api/tokens/{}/rotate", text(made, "id"));
        let api = api.clone();
        async move { api.post(&path, &body).await }
    };
    let second = rotate(&first, json!({"overlapSeconds": 600}))
        .await
        .expect(201)
        .json();
    assert_eq!(
        (&second["name"], &second["scopes"]),
        (&json!("siem"), &json!(["alerts:read"]))
    );
    assert_eq!(second["rotatedFrom"], first["id"]);
    assert_eq!(second["expiresSoon"], false);
    for made in [&first, &second] {
        for server in &world.servers {
            server
                .api(Some(&text(made, "token")))
                .get("/api/alerts")
                .await
                .expect(200);
        }
    }
    let old = api
        .get(&format!("/api/tokens/{}", text(&first, "id")))
        .await
        .json();
    assert_eq!(old["expiresSoon"], true, "{old}");
    let third = rotate(&second, json!({"overlapSeconds": 0}))
        .await
        .expect(201)
        .json();
    for server in &world.servers {
        let program = server.api(Some(&text(&second, "token")));
        let gone = || async { program.get("/api/alerts").await.status == 401 };
        wait::until_true("the old one ends on every replica", wait::secs(5), gone).await;
        server
            .api(Some(&text(&third, "token")))
            .get("/api/alerts")
            .await
            .expect(200);
    }
    rotate(&second, json!({})).await.expect(409);
    rotate(&third, json!({"overlapSeconds": -1})).await.expect(400);
    let id = text(&third, "id");
    let fourth = world.cli.json(&["token", "rotate", &id, "--overlap", "60"]).await;
    world
        .server()
        .api(Some(&text(&fourth, "token")))
        .get("/api/alerts")
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_acts_in_its_own_tenant_and_not_while_that_is_suspended() {
    let world = World::start().await;
    let (acme, _) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let api = world.api_of(&acme);
    for (named, status) in [
        ("acme", 200),
        ("umbrella", 404),
        ("nobody", 404),
        ("Acme", 404),
        ("", 404),
    ] {
        let request = api.request("GET", "/api/me").header("x-garrison-tenant", named);
        let answer = crate::support::http::send(request).await;
        assert_eq!(answer.status, status, "`{named}`: {}", answer.text());
    }
    let me = api.get("/api/me").await.expect(200).json();
    assert_eq!((&me["kind"], &me["tenant"]), (&json!("token"), &json!("acme")));
    let machine = world.machine("acme").await;
    world.cli.run(&["tenant", "suspend", "acme"]).await.expect_ok();
    let out = || async { api.get("/api/alerts").await.status == 403 };
    wait::until_true("the tenant is shut out", wait::secs(5), out).await;
    // its engines are served all along
    machine
        .push_ok(world.server(), &[crate::support::machine::signal("192.0.2.9")])
        .await;
    world.cli.run(&["tenant", "resume", "acme"]).await.expect_ok();
    let back = || async { api.get("/api/alerts").await.status == 200 };
    wait::until_true("the tenant is let in", wait::secs(5), back).await;
    world
        .cli
        .run(&["tenant", "rename", "acme", "acme 2"])
        .await
        .expect_ok();
    world
        .cli
        .run(&["tenant", "rename", "acme 2", "umbrella"])
        .await
        .expect_refused();
    let renamed = || async { api.get("/api/me").await.json()["tenant"] == "acme 2" };
    wait::until_true("the new name", wait::secs(5), renamed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_401_within_5_s_on_both_replicas() {
    let world = World::with(2, &[]).await;
    let made = world
        .cli
        .json(&["token", "add", "--tenant", "default", "--scope", "read"])
        .await;
    let (id, token) = (text(&made, "id"), text(&made, "token"));
    let apis: Vec<Api> = world.servers.iter().map(|s| s.api(Some(&token))).collect();
    for api in &apis {
        api.get("/api/alerts").await.expect(200);
    }
    world.cli.run(&["token", "revoke", &id]).await.expect_ok();
    let start = std::time::Instant::now();
    for api in &apis {
        while api.get("/api/alerts").await.status != 401 {
            assert!(start.elapsed() < wait::secs(5), "still good after 5 s");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    let still = || async {
        apis[0].get("/api/alerts").await.status == 401 && apis[1].get("/api/machines").await.status == 401
    };
    wait::holds("revoked for good", wait::secs(1), still).await;
    world.api().get("/api/alerts").await.expect(200);
}
