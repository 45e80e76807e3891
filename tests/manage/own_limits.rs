//! Limits of one tenant's own: lower, higher, taken away again; felt everywhere, and by nobody else.
use super::tenants::admin;
use crate::support::browser::Browser;
use crate::support::events::Events;
use crate::support::http::{Answer, Api, send};
use crate::support::lapi::Lapi;
use crate::support::machine::signal;
use crate::support::wait;
use crate::support::world::{World, rule, rule_ids};
use serde_json::{Value, json};

fn policy(answer: &Answer) -> Option<String> {
    answer.header("ratelimit-policy")
}

/// Asks until the answer says so, for as long as a change may take.
async fn felt(what: &str, api: &Api, is: impl Fn(&Answer) -> bool) {
    wait::until_true(what, wait::secs(5), || async {
        is(&api.get("/api/machines").await)
    })
    .await;
}

async fn put(root: &Browser, path: &str, body: &Value) -> Answer {
    send(root.request("PUT", path).json(body)).await
}

/// How many of so many requests, one right after the other, are refused.
async fn refused(api: &Api, n: usize) -> usize {
    let mut refused = 0;
    for _ in 0..n {
        refused += usize::from(api.get("/api/machines").await.status == 429);
    }
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_quota_is_lowered_raised_and_taken_away_again() {
    let quotas = [
        ("GARRISON_FORWARD_ENABLED", "false"),
        ("GARRISON_LIMITS_TOKEN_REQUESTS", "0"),
        ("GARRISON_LIMITS_TENANT_REQUESTS", "0"),
        ("GARRISON_LIMITS_BURST", "1s"),
    ];
    let world = World::with(2, &quotas).await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let root = admin(&world).await;
    let path = format!("/api/tenants/{}/limits", acme.id);
    let (ours, theirs) = (world.api_of(&acme), world.api_of(&umbrella));
    let elsewhere = ours.at(world.servers[1].address);
    assert_eq!(policy(&ours.get("/api/machines").await), None);
    let shown = root.get(&path).await.expect(200).json();
    assert_eq!(shown["own"]["tenantRequests"], Value::Null);
    assert_eq!(shown["inForce"]["tenantRequests"], 0);

    // Nobody but the platform's admin sets them, and nothing but limits.
    ours.put(&path, &json!({})).await.expect(403);
    put(&root, "/api/tenants/999/limits", &json!({}))
        .await
        .expect(404);
    let wrong = put(&root, &path, &json!({"rules": 5000, "tenantItems": -1}))
        .await
        .expect(400)
        .json();
    let fields: Vec<&Value> = wrong["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|e| &e["field"])
        .collect();
    assert_eq!(fields, ["tenantItems", "rules"]);
    put(&root, &path, &json!({"rulez": 5})).await.expect(400);

    // Lower, on both replicas.
    let set = put(
        &root,
        &path,
        &json!({"tenantRequests": 60, "tokenRequests": null}),
    )
    .await
    .expect(200)
    .json();
    assert_eq!(set["inForce"]["tenantRequests"], 60);
    let low = |answer: &Answer| policy(answer).as_deref() == Some("\"tenant\";q=1;w=1");
    for api in [&ours, &elsewhere] {
        felt("the lower one", api, low).await;
        assert!(refused(api, 6).await >= 4);
    }
    assert_eq!(refused(&theirs, 20).await, 0);
    assert_eq!(policy(&theirs.get("/api/machines").await), None);
    // Higher.
    put(&root, &path, &json!({"tenantRequests": 60_000}))
        .await
        .expect(200);
    for api in [&ours, &elsewhere] {
        felt("the higher one", api, |answer| {
            answer.status == 200 && !low(answer)
        })
        .await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(refused(api, 20).await, 0);
    }
    // As configured again, by the command line.
    let said = world
        .cli
        .json(&["tenant", "limits", "acme", "--unset", "tenant_requests"])
        .await;
    assert_eq!(said["own"]["tenantRequests"], Value::Null, "{said}");
    for api in [&ours, &elsewhere] {
        felt("none", api, |answer| policy(answer).is_none()).await;
    }
    let trail = world
        .cli
        .json(&["audit", "list", "--tenant", "acme", "--action", "tenant.limits"])
        .await;
    let set: Vec<&Value> = trail
        .as_array()
        .expect("entries")
        .iter()
        .map(|e| &e["details"]["tenantRequests"])
        .collect();
    assert_eq!(set, [&Value::Null, &json!(60_000), &json!(60)]);

    // Engines have theirs.
    let machine = world.machine("acme").await;
    let other = world.machine("umbrella").await;
    world
        .cli
        .run(&[
            "tenant",
            "limits",
            "acme",
            "--set",
            "tenant_items=60",
            "--set",
            "pushes=4",
        ])
        .await
        .expect_ok();
    wait::until_true("the quota of signals", wait::secs(5), || async {
        let answer = machine.push(world.server(), &[signal("192.0.2.1")]).await;
        answer
            .header("ratelimit-policy")
            .is_some_and(|text| text.contains("tenant-items"))
    })
    .await;
    let many: Vec<Value> = (0..60).map(|_| signal("192.0.2.1")).collect();
    machine.push(world.server(), &many).await;
    machine.push(world.server(), &many).await.expect(429);
    other.push(world.server(), &many).await.expect(200);
    for wrong in ["tenant_items", "nothing=5", "rules=-1", "rules=x"] {
        let refused = world.cli.run(&["tenant", "limits", "acme", "--set", wrong]).await;
        refused.expect_refused();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_may_have_more_or_less_than_others() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let root = admin(&world).await;
    let path = format!("/api/tenants/{}/limits", acme.id);
    let (ours, theirs) = (world.api_of(&acme), world.api_of(&umbrella));
    let have = rule_ids(&ours.get("/api/filters").await.expect(200).json()).len();
    let near = Lapi::start().await;
    let new = |name: &str| rule(name, "scenario", "eq", json!("x"));

    let body = json!({"rules": have, "lapiServers": 0, "streams": 1});
    put(&root, &path, &body).await.expect(200);
    let full = ours.post("/api/filters", &new("a")).await.expect(409).text();
    assert!(full.contains(&format!("{have} rules")), "{full}");
    ours.post("/api/lapi-servers", &near.member("near"))
        .await
        .expect(409);
    let add = [
        "lapi",
        "add",
        "near",
        "--tenant",
        "acme",
        "--url",
        "http://127.0.0.1:8081/",
        "--api-key",
        "x",
    ];
    let refused = world.cli.run(&add).await.expect_refused();
    assert!(refused.stderr.contains("0 LAPI servers"), "{}", refused.stderr);
    let open = Events::open(&ours, "types=alert", None).await;
    ours.get("/api/events").await.expect(429);
    theirs.post("/api/filters", &new("a")).await.expect(201);
    theirs
        .post("/api/lapi-servers", &near.member("near"))
        .await
        .expect(201);

    let body = json!({"rules": have + 1, "streams": 2});
    put(&root, &path, &body).await.expect(200);
    ours.post("/api/filters", &new("a")).await.expect(201);
    ours.post("/api/filters", &new("b")).await.expect(409);
    ours.post("/api/lapi-servers", &near.member("near"))
        .await
        .expect(201);
    let second = Events::open(&ours, "types=alert", None).await;
    put(&root, &path, &json!({})).await.expect(200);
    ours.post("/api/filters", &new("b")).await.expect(201);
    drop((open, second));
}
