//! The audit trail: every change leaves one entry, of the right tenant, by the right actor; lists, exports, refusals.
use super::audit_steps::steps;
use crate::support::garrison::text;
use crate::support::http::{Api, send};
use crate::support::lapi::Lapi;
use crate::support::machine::Machine;
use crate::support::wait;
use crate::support::world::{Tenant, World, next_link};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Operations that change nothing which is anybody's decision: what engines report, and what only asks.
const NO_CHANGE: [&str; 15] = [
    "POST /api/filters/test",
    "POST /v2/decisions/delete",
    "POST /v2/decisions/sync",
    "POST /v2/metrics",
    "POST /v2/metrics/",
    "POST /v2/signals",
    "POST /v2/usage-metrics",
    "POST /v2/watchers",
    "POST /v2/watchers/login",
    "POST /v2/watchers/reset",
    "DELETE /v2/watchers",
    "DELETE /v2/watchers/self",
    "POST /v2/watchers/enroll",
    "POST /v1/usage-metrics",
    "POST /v1/metrics",
];

/// Operations that no API token may call: shown by the tests of people.
const OF_PEOPLE: [&str; 14] = [
    "POST /login",
    "POST /logout",
    "POST /api/auth/logout",
    "POST /api/auth/backchannel-logout",
    "POST /api/me/password",
    "POST /api/me/totp",
    "POST /api/me/totp/confirm",
    "POST /api/me/totp/disable",
    "POST /api/invitations/accept",
    "POST /api/password/reset",
    "POST /api/tenants",
    "PATCH /api/tenants/{id}",
    "DELETE /api/tenants/{id}",
    "PUT /api/tenants/{id}/limits",
];

pub async fn trail(api: &Api, query: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut path = format!("/api/audit?limit=1000&{query}");
    loop {
        let page = api.get(&path).await.expect(200);
        all.extend(page.json().as_array().expect("entries").iter().cloned());
        match next_link(page.header("link").as_deref()) {
            Some(next) => path = next,
            None => return all,
        }
    }
}

async fn documented(world: &World) -> BTreeSet<String> {
    let document = Api::new(world.server().url(), None)
        .get("/openapi.json")
        .await
        .json();
    let mut all = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["put", "post", "delete", "patch"] {
            if item.get(method).is_some() {
                all.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_changes_something_leaves_one_entry() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let (api, others) = (world.api_of(&acme), world.api_of(&umbrella));
    world.machine("acme").await;
    let machines = api.get("/api/machines").await.expect(200).json();
    let near = Lapi::start().await;
    let theirs = trail(&others, "").await;
    let (mut new, mut decision) = (String::new(), String::new());
    let user = world
        .cli
        .json(&[
            "user",
            "add",
            "bob@example.org",
            "--tenant",
            "acme",
            "--role",
            "viewer",
        ])
        .await;
    let steps = steps(&near, &text(&machines[0], "id"), &text(&user, "id"));
    let token = trail(&api, "action=token.create").await[0]["target"]
        .as_str()
        .expect("a number")
        .to_owned();
    for (operation, path, body, status, action) in &steps {
        let before = trail(&api, "actor=token").await.len();
        let path = path.replace("{new}", &new).replace("{decision}", &decision);
        let method = operation.split(' ').next().expect("a method");
        let request = api.request(method, &path).header("x-request-id", "r-1_a");
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        let answer = send(request).await;
        let good = answer.status == *status || (*status == 0 && matches!(answer.status, 200 | 202));
        assert!(good, "{operation}: {} {}", answer.status, answer.text());
        if let Ok(told) = serde_json::from_slice::<Value>(&answer.body) {
            for (name, kept) in [("id", &mut new), ("decisionId", &mut decision)] {
                if !told[name].is_null() {
                    *kept = text(&told, name);
                }
            }
        }
        let after = trail(&api, "actor=token").await;
        assert_eq!(after.len(), before + 1, "{operation}: one entry, no more");
        let entry = &after[0];
        assert_eq!(
            (
                &entry["action"],
                &entry["outcome"],
                &entry["sourceIp"],
                &entry["requestId"]
            ),
            (
                &json!(action),
                &json!("done"),
                &json!("127.0.0.1"),
                &json!("r-1_a")
            ),
            "{operation}"
        );
        assert_eq!(
            (&entry["actor"]["type"], entry["actor"]["id"].to_string()),
            (&json!("token"), token.clone()),
            "{operation}"
        );
    }
    assert_eq!(trail(&others, "").await, theirs, "nobody else's trail");
    let shown: BTreeSet<&str> = steps.iter().map(|step| step.0).collect();
    let known = |operation: &String| {
        let as_v2 = operation.replace("/v3/", "/v2/");
        shown.contains(operation.as_str())
            || NO_CHANGE.contains(&as_v2.as_str())
            || OF_PEOPLE.contains(&as_v2.as_str())
    };
    let all = documented(&world).await;
    let unknown: Vec<&String> = all.iter().filter(|operation| !known(operation)).collect();
    assert!(unknown.is_empty(), "teach this test about {unknown:?}");
    // What does not succeed leaves nothing, nor does a look at what would be.
    let before = trail(&api, "").await.len();
    api.delete("/api/allowlists/none").await.expect(404);
    api.post("/api/feeds", &json!({"name": ""})).await.expect(400);
    assert_eq!(trail(&api, "").await.len(), before);
    let whole = world.cli.json(&["audit", "verify"]).await;
    assert!(
        whole
            .as_array()
            .expect("tenants")
            .iter()
            .all(|t| t["good"] == true),
        "{whole}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_machines_and_garrison_itself_are_on_record() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let acme = world.tenant("acme").await;
    let api = world.api_of(&acme);
    let cli = |args: &'static [&'static str]| world.cli.run(args);
    for args in [
        &["tenant", "set", "acme", "--forward", "false"][..],
        &["tenant", "key", "acme"],
        &["tenant", "retention", "acme", "--set", "alerts=9"],
        &["machine", "add", "--tenant", "acme", "--login", "m1"],
        &["machine", "set", "--tenant", "acme", "m1", "--deliver", "true"],
        &["machine", "remove", "--tenant", "acme", "m1"],
        &["allowlist", "add", "l", "192.0.2.9", "--tenant", "acme"],
        &["allowlist", "remove", "l", "--tenant", "acme"],
    ] {
        cli(args).await.expect_ok();
    }
    let actions = |entries: &[Value]| entries.iter().map(|e| text(e, "action")).collect::<Vec<_>>();
    let mine = trail(&api, "actor=cli").await;
    let mut said = actions(&mine);
    said.reverse();
    assert_eq!(
        said,
        [
            "tenant.create",
            "token.create",
            "tenant.change",
            "tenant.key",
            "retention.replace",
            "machine.create",
            "machine.change",
            "machine.remove",
            "allowlist.create",
            "allowlist.add",
            "allowlist.delete",
        ]
    );
    assert_eq!(mine[0]["actor"]["name"], "command line");
    let listed = world
        .cli
        .json(&["audit", "list", "--tenant", "acme", "--action", "tenant.key"])
        .await;
    assert_eq!(actions(listed.as_array().expect("entries")), ["tenant.key"]);
    // A machine that leaves says so itself; one that guesses is on record once a minute.
    let machine = world.machine("acme").await;
    send(machine.call(world.server().address, "DELETE", "/v3/watchers/self"))
        .await
        .expect(204);
    let left = trail(&api, "actor=machine").await;
    assert_eq!(actions(&left), ["machine.remove"]);
    let made = world.cli.json(&["machine", "add", "--tenant", "acme"]).await;
    let mut thief = Machine::new(&text(&made, "login"), "guessed");
    for _ in 0..5 {
        assert_eq!(thief.try_login(world.server().address).await.status, 401);
    }
    wait::until_true("on record", wait::secs(10), || async {
        trail(&api, "outcome=refused&action=machine.login").await.len() == 1
    })
    .await;
    // So is a token that asks for more than it may.
    let made = world
        .cli
        .json(&["token", "add", "--tenant", "acme", "--scope", "read"])
        .await;
    let reader = world.server().api(Some(&text(&made, "token")));
    for _ in 0..20 {
        reader.delete("/api/allowlists/none").await.expect(403);
    }
    reader.get("/api/audit").await.expect(403);
    wait::until_true("on record", wait::secs(10), || async {
        trail(&api, "outcome=refused&action=access").await.len() == 1
    })
    .await;
    let refused = &trail(&api, "outcome=refused&action=access").await[0];
    assert_eq!(refused["target"], "DELETE /api/allowlists/{name}");
    assert_eq!(
        (&refused["actor"]["id"], &refused["details"]),
        (&made["id"], &json!({"times": 1}))
    );
    // What aged is there, too, by Garrison itself.
    let machine = world.machine("acme").await;
    machine
        .push_ok(world.server(), &[crate::support::machine::signal("192.0.2.1")])
        .await;
    let aged = "UPDATE alert SET received_at = received_at - interval '40 days'; UPDATE sweep SET swept_at = '-infinity'";
    world.db.client().await.batch_execute(aged).await.expect("aged");
    wait::until_true("swept", wait::secs(60), || async {
        !trail(&api, "actor=auto&action=retention.sweep").await.is_empty()
    })
    .await;
    world
        .cli
        .run(&["audit", "verify", "--tenant", "acme"])
        .await
        .expect_ok();
}

async fn filled(world: &World) -> Tenant {
    let acme = world.tenant("acme").await;
    let api = world.api_of(&acme);
    for n in 0..12 {
        let name = json!({"name": format!("l{n}"), "description": "=1+1"});
        api.post("/api/allowlists", &name).await.expect(201);
    }
    acme
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_has_pages_conditions_exports_and_another_accent() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let acme = filled(&world).await;
    let api = world.api_of(&acme);
    let all = trail(&api, "").await;
    assert_eq!(all.len(), 14);
    let numbers: Vec<i64> = all.iter().filter_map(|e| e["seq"].as_i64()).collect();
    assert_eq!(numbers, (1..=14).rev().collect::<Vec<_>>());
    // By pages, while entries come.
    let mut seen = Vec::new();
    let mut path = "/api/audit?limit=5&action=allowlist.create".to_owned();
    loop {
        let page = api.get(&path).await.expect(200);
        seen.extend(
            page.json()
                .as_array()
                .expect("entries")
                .iter()
                .map(|e| text(e, "target")),
        );
        api.post("/api/allowlists", &json!({"name": format!("more{}", seen.len())}))
            .await
            .expect(201);
        match next_link(page.header("link").as_deref()) {
            Some(next) => path = next,
            None => break,
        }
    }
    let expected: Vec<String> = (0..12).rev().map(|n| format!("l{n}")).collect();
    assert_eq!(seen, expected);
    let moved = path.replace("allowlist.create", "allowlist.add");
    api.get(&moved).await.expect(400);
    for (query, n) in [
        ("target=l3", 1),
        ("target=l3&outcome=refused", 0),
        ("actor=cli", 2),
        ("actor=command+line", 2),
        ("actor=token:999", 0),
        ("actor=nobody", 0),
        ("since=2999-01-01T00:00:00Z", 0),
        ("until=2999-01-01T00:00:00Z&action=tenant.create", 1),
    ] {
        assert_eq!(trail(&api, query).await.len(), n, "{query}");
    }
    for bad in [
        "limit=0",
        "limit=1001",
        "cursor=x",
        "outcome=x",
        "since=x",
        "until=x",
        "actor=",
        "action=%00",
    ] {
        api.get(&format!("/api/audit?{bad}")).await.expect(400);
    }
    let lines = api
        .get("/api/audit/export?action=allowlist.create")
        .await
        .expect(200);
    let told: Vec<Value> = String::from_utf8_lossy(&lines.body)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(told, trail(&api, "action=allowlist.create").await);
    let csv = api.get("/api/audit/export?format=csv").await.expect(200);
    let csv = String::from_utf8_lossy(&csv.body);
    assert_eq!(csv.lines().count(), trail(&api, "").await.len() + 1);
    assert!(csv.starts_with("seq,at,actorType,"));
    api.get("/api/audit/export?format=xml").await.expect(400);
    // The first host API's shape.
    let host = api.get("/api/v1/audit").await.expect(200).json();
    let made = host.as_array().expect("entries").last().expect("the first");
    assert_eq!(
        (&made["action"], &made["target"], &made["actor"]),
        (&json!("tenant.create"), &json!("acme"), &json!("command line"))
    );
    assert!(made["timestamp"].is_string() && made.get("source_ip").is_none());
    assert_eq!(host[0]["source_ip"], "127.0.0.1");
}
