//! How tenants begin and end: templates, deletion, and what they used.
use crate::support::browser::Browser;
use crate::support::garrison::text;
use crate::support::http::{Answer, send};
use crate::support::machine::{signal, undecided};
use crate::support::wait;
use crate::support::world::{Tenant, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio_postgres::Client;

pub async fn admin(world: &World) -> Browser {
    Browser::person(world, &["user", "add", "root@example.org", "--platform-admin"]).await
}

async fn within(root: &Browser, tenant: &str, path: &str) -> Answer {
    send(root.request("GET", path).header("x-garrison-tenant", tenant)).await
}

fn model() -> Value {
    json!({
        "forwardEnabled": false,
        "filters": {"mode": "allow", "rules": [
            {"name": "ours", "enabled": true, "description": "what we tell", "filter": {"field": "scenario", "op": "eq", "value": "x"}},
            {"name": "off", "enabled": false, "filter": {"field": "decisions", "op": "empty"}},
        ]},
        "retention": {"alerts": 7, "metrics": 10},
        "allowlists": [
            {"name": "office", "description": "where we are", "entries": [
                {"value": "192.0.2.0/24", "reason": "the office"}, {"value": "2001:db8::7", "expiresAt": "2999-01-01T00:00:00.000Z"}]},
            {"name": "empty", "description": "", "entries": []},
        ],
    })
}

/// Lists come by name, entries by value.
fn sorted(mut template: Value) -> Value {
    let lists = template["allowlists"].as_array_mut().expect("lists");
    lists.sort_by_key(|list| text(list, "name"));
    for list in lists {
        let entries = list["entries"].as_array_mut().expect("entries");
        entries.sort_by_key(|entry| text(entry, "value"));
    }
    template
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_begins_as_its_template_says_and_is_the_model_of_another() {
    let world = World::start().await;
    let root = admin(&world).await;
    let made = root
        .post("/api/tenants", &json!({"name": "acme", "template": model()}))
        .await
        .expect(201)
        .json();
    assert_eq!(made["forwardEnabled"], false);
    let path = format!("/api/tenants/{}/template", text(&made, "id"));
    let shown = root.get(&path).await.expect(200).json();
    assert_eq!(sorted(shown.clone()), sorted(model()));
    // it is in force
    let list = within(&root, "acme", "/api/allowlists/office")
        .await
        .expect(200)
        .json();
    assert_eq!(list["entries"][0]["value"], "192.0.2.0/24");
    assert_eq!(list["entries"][0]["actor"], "root@example.org (platform)");
    let kept = within(&root, "acme", "/api/retention").await.expect(200).text();
    assert!(kept.contains("\"days\":7"), "{kept}");
    let machine = world.machine("acme").await;
    machine
        .push_ok(world.server(), &[signal("192.0.2.7"), signal("198.51.100.7")])
        .await;
    let client = world.db.client().await;
    let sql = format!(
        "SELECT count(*) FROM decision WHERE tenant_id = {}",
        text(&made, "id")
    );
    wait::until_true(
        "the set is kept up, without what is allowed",
        wait::secs(60),
        || async { client.query_one(&sql, &[]).await.expect("set").get::<_, i64>(0) == 1 },
    )
    .await;
    // by the command line, from a file of either kind
    let file = world.dir.join("model.json");
    let printed = world
        .cli
        .run(&["tenant", "template", "acme"])
        .await
        .expect_ok()
        .stdout;
    std::fs::write(&file, &printed).expect("written");
    let name = file.display().to_string();
    world
        .cli
        .json(&["tenant", "add", "umbrella", "--template", &name])
        .await;
    let other = world.cli.json(&["tenant", "template", "umbrella"]).await;
    assert_eq!(sorted(other), sorted(model()));
    std::fs::write(&file, "retention:\n  bodies: 3\n").expect("written");
    world
        .cli
        .json(&["tenant", "add", "third", "--template", &name])
        .await;
    let third = world.cli.json(&["tenant", "template", "third"]).await;
    assert_eq!(
        (&third["retention"], &third["forwardEnabled"]),
        (&json!({"bodies": 3}), &json!(true))
    );
    assert_eq!(
        third["filters"]["rules"][0]["name"], "no-decision",
        "the default rules"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_template_makes_nothing_and_every_wrong_field_is_named() {
    let world = World::start().await;
    let root = admin(&world).await;
    let mut bad = model();
    bad["filters"]["rules"][1]["filter"] = json!({"op": "nothing"});
    bad["allowlists"][0]["entries"][1]["value"] = json!("0.0.0.0/0");
    bad["retention"]["audit"] = json!(1);
    let refused = root
        .post("/api/tenants", &json!({"name": "acme", "template": bad}))
        .await
        .expect(400)
        .json();
    let fields: Vec<&str> = refused["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .filter_map(|e| e["field"].as_str())
        .collect();
    let expected = [
        "template.filters.rules[1].filter",
        "template.retention.audit",
        "template.allowlists[0].entries[1].value",
    ];
    assert_eq!(fields, expected);
    let file = world.dir.join("bad.yaml");
    std::fs::write(&file, "allowlists:\n- name: a b\n").expect("written");
    let name = file.display().to_string();
    let told = world
        .cli
        .run(&["tenant", "add", "acme", "--template", &name])
        .await;
    assert!(
        told.expect_refused()
            .stderr
            .contains("template.allowlists[0].name"),
        "the place"
    );
    assert_eq!(
        root.get("/api/tenants").await.json().as_array().map(Vec::len),
        Some(1)
    );
}

/// Rows of a tenant by table; what stays of one that was erased is left out.
async fn rows(client: &Client, tenant: &str) -> BTreeMap<String, i64> {
    let sql = "SELECT relname::text FROM pg_class WHERE relrowsecurity AND relname NOT IN ('erasure', 'tenant_erasure')
        AND relname NOT LIKE 'stat\\_%' AND relname NOT IN ('sweep', 'outbox', 'lane', 'event', 'geo_pass')";
    let mut all = BTreeMap::new();
    for row in client.query(sql, &[]).await.expect("tables") {
        let table: String = row.get(0);
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = {tenant}");
        let n = client.query_one(&sql, &[]).await.expect("rows").get(0);
        all.insert(table, n);
    }
    all
}

async fn all_rows(client: &Client, tenant: &str) -> i64 {
    let sql = "SELECT relname::text FROM pg_class WHERE relrowsecurity AND relname NOT IN ('erasure', 'tenant_erasure')";
    let mut all = 0;
    for row in client.query(sql, &[]).await.expect("tables") {
        let sql = format!(
            "SELECT count(*) FROM {} WHERE tenant_id = {tenant}",
            row.get::<_, String>(0)
        );
        all += client.query_one(&sql, &[]).await.expect("rows").get::<_, i64>(0);
    }
    all
}

async fn filled(world: &World, name: &str) -> Tenant {
    let tenant = world.tenant(name).await;
    let api = world.api_of(&tenant);
    let machine = world.machine(name).await;
    let signals: Vec<Value> = (1..=40).map(|n| signal(&format!("198.51.100.{n}"))).collect();
    machine.push_ok(world.server(), &signals).await;
    api.post("/api/allowlists", &json!({"name": "office"}))
        .await
        .expect(201);
    let entry = json!({"entries": [{"value": "192.0.2.1"}]});
    api.post("/api/allowlists/office/entries", &entry)
        .await
        .expect(200);
    tenant
}

async fn is_erased(root: &Browser, path: &str) -> bool {
    root.get(path).await.expect(200).json()["state"] == "erased"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_tenant_is_nowhere_and_its_neighbour_untouched() {
    let world = World::with(2, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let (acme, umbrella) = (filled(&world, "acme").await, filled(&world, "umbrella").await);
    let client = world.db.client().await;
    let root = admin(&world).await;
    let member = Browser::member(&world, "ada@example.org", "acme", "admin").await;
    member.get("/api/alerts").await.expect(200);
    let mut machine = world.machine("acme").await;
    let before = rows(&client, &umbrella.id).await;
    let path = format!("/api/tenants/{}", acme.id);
    assert_eq!(root.get(&path).await.json()["state"], "active");
    // only who repeats the name means it
    let delete = |body: Value| send(root.request("DELETE", &path).json(&body));
    delete(json!({"name": "umbrella"})).await.expect(400);
    delete(json!({})).await.expect(400);
    send(member.request("DELETE", &path).json(&json!({"name": "acme"})))
        .await
        .expect(403);
    let told = delete(json!({"name": "acme"})).await.expect(202).json();
    assert_eq!(told["state"], "deleting", "{told}");
    delete(json!({"name": "acme"})).await.expect(404);
    send(root.request("PATCH", &path).json(&json!({"suspended": true})))
        .await
        .expect(404);
    // nothing of its opens anything, on any replica
    world.settle().await;
    for server in &world.servers {
        server.api(Some(&acme.token)).get("/api/alerts").await.expect(401);
        let lost = machine.push(server, &[signal("198.51.100.99")]).await;
        assert_eq!(lost.status, 401, "{}", lost.text());
        let shut = member.at(server).get("/api/alerts").await;
        assert!(matches!(shut.status, 401 | 403 | 404), "{}", shut.text());
    }
    assert_ne!(machine.try_login(world.server().address).await.status, 200);
    let done = wait::until_true("erased", wait::secs(60), || is_erased(&root, &path));
    done.await;
    let told = root.get(&path).await.expect(200).json();
    assert!(told["erasure"]["rows"].as_i64() > Some(80), "{told}");
    assert!(told["erasure"]["erasedAt"].is_string(), "{told}");
    assert!(!told["name"].as_str().expect("a name").contains("acme"));
    assert_eq!(all_rows(&client, &acme.id).await, 0);
    let mut after = rows(&client, &umbrella.id).await;
    let mut before = before;
    // what its own engine and clock do meanwhile
    for passing in ["decision", "audit_entry", "audit_text", "api_token"] {
        before.remove(passing);
        after.remove(passing);
    }
    assert_eq!(after, before);
    world.api_of(&umbrella).get("/api/alerts").await.expect(200);
    let proofs = world.cli.json(&["erase", "--list"]).await;
    assert_eq!(
        (&proofs[0]["tenant_id"].to_string(), &proofs[0]["complete"]),
        (&acme.id, &json!(true))
    );
    // its number is never used again, its name may be
    let again = root
        .post("/api/tenants", &json!({"name": "acme"}))
        .await
        .expect(201)
        .json();
    assert_ne!(text(&again, "id"), acme.id);
    let listed = root.get("/api/tenants").await.json();
    assert!(!listed.to_string().contains("erased"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_replica_left_is_erased_by_another() {
    let mut world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let acme = filled(&world, "acme").await;
    let mut client = world.db.client().await;
    let root = admin(&world).await;
    // it does not get past the alerts
    let held = client.transaction().await.expect("a transaction");
    let sql = format!("SELECT FROM alert WHERE tenant_id = {} FOR UPDATE", acme.id);
    held.query(&sql, &[]).await.expect("locked");
    let path = format!("/api/tenants/{}", acme.id);
    send(root.request("DELETE", &path).json(&json!({"name": "acme"})))
        .await
        .expect(202);
    let other = world.db.client().await;
    wait::until_true("it is begun", wait::secs(60), || async {
        let sql = "SELECT count(*) FROM tenant_erasure WHERE lease_until > now()";
        other.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0) == 1
    })
    .await;
    world.servers[0].kill9();
    held.rollback().await.expect("let go");
    let at = world.add_server().await;
    let root = root.at(&world.servers[at]);
    assert_eq!(root.get(&path).await.expect(200).json()["state"], "deleting");
    wait::until_true("erased", wait::secs(120), || is_erased(&root, &path)).await;
    assert_eq!(all_rows(&other, &acme.id).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_exact_and_outlives_its_rows() {
    let world = World::start().await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let api = world.api_of(&acme);
    let (one, two) = (world.machine("acme").await, world.machine("acme").await);
    let batch = vec![
        signal("198.51.100.1"),
        signal("198.51.100.2"),
        undecided("198.51.100.3"),
        json!({"scenario": 7}),
    ];
    let bytes = serde_json::to_vec(&batch).expect("JSON").len();
    one.push(world.server(), &batch).await.expect(200);
    // the same again is received, and not stored
    one.push(world.server(), &batch).await.expect(200);
    two.push_ok(world.server(), &[signal("198.51.100.4")]).await;
    world.wait_alerts(&api, "forwardedToCapi=true", 3, 60).await;
    let used = || async { api.get("/api/usage?months=2").await.expect(200).json() };
    let right = |usage: &Value| {
        let now = &usage[0];
        let counts = [
            "received",
            "stored",
            "filtered",
            "forwarded",
            "decisions",
            "machines",
        ];
        counts.map(|name| now[name].as_i64().expect("a number")) == [9, 4, 1, 3, 3, 2]
            && now["bytes"].as_u64() > Some(2 * bytes as u64)
    };
    let usage = used().await;
    assert!(right(&usage), "{usage}");
    assert_eq!(usage.as_array().map(Vec::len), Some(2));
    assert_eq!(usage[1]["received"], 0);
    // folded or not it is the same, and it stays when the alerts go
    let client = world.db.client().await;
    wait::until_true("folded", wait::secs(60), || async {
        let sql = "SELECT count(*) FROM stat_delta";
        client
            .query_one(sql, &[])
            .await
            .expect("changes")
            .get::<_, i64>(0)
            == 0
    })
    .await;
    assert_eq!(used().await, usage);
    let asked = ["erase", "--tenant", "acme", "--address", "198.51.100.1", "--yes"];
    world.cli.json(&asked).await;
    assert_eq!(used().await, usage);
    let root = admin(&world).await;
    let path = format!("/api/tenants/{}/usage?months=2", acme.id);
    assert_eq!(root.get(&path).await.expect(200).json(), usage);
    let theirs = world.api_of(&umbrella).get("/api/usage").await.expect(200).json();
    assert_eq!(theirs.as_array().map(Vec::len), Some(12));
    assert!(
        theirs
            .as_array()
            .expect("months")
            .iter()
            .all(|m| m["received"] == 0 && m["machines"] == 0)
    );
    for months in ["0", "121", "x"] {
        api.get(&format!("/api/usage?months={months}")).await.expect(400);
    }
    root.get("/api/tenants/4000000/usage").await.expect(404);
    api.get(&path).await.expect(403);
}
