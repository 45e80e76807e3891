//! Erasure: afterwards the address is in no table of the tenant's, packed or not, and nothing else is gone.
use crate::support::lapi::Lapi;
use crate::support::machine::{signal, undecided, uuid_of};
use crate::support::wait;
use crate::support::world::{Tenant, World};
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio_postgres::Client;
const VICTIM: &str = "203.0.113.9";

/// Everything that a tenant owns, a line a row, bodies unpacked.
async fn dump(client: &Client, tenant: &str) -> String {
    let mut all = String::new();

    let sql = "SELECT relname::text FROM pg_class WHERE relrowsecurity AND relname NOT IN ('audit_entry', 'audit_head')";
    for row in client.query(sql, &[]).await.expect("tables") {
        let table: String = row.get(0);
        let sql = format!("SELECT t::text FROM {table} t WHERE tenant_id = {tenant} ORDER BY 1");
        for row in client.query(&sql, &[]).await.expect("rows") {
            all += &format!("{table}: {}\n", row.get::<_, String>(0));
        }
    }
    for table in ["signal_batch", "stream_cache"] {
        let sql = format!("SELECT body FROM {table} WHERE tenant_id = {tenant} AND body IS NOT NULL");
        for row in client.query(&sql, &[]).await.expect("bodies") {
            let body = zstd::decode_all(row.get::<_, &[u8]>(0)).expect("zstd");
            all += &format!("{table} body: {}\n", String::from_utf8_lossy(&body));
        }
    }
    all
}

/// Rows that do not come and go by themselves.
fn lasting(dump: &str) -> usize {
    let passing = ["stat_", "sweep", "outbox", "lane", "event", "geo_pass"];
    dump.lines()
        .filter(|line| !passing.iter().any(|name| line.starts_with(name)))
        .count()
}

/// Until the set holds what was signalled: three addresses a machine, without the victim's, which an allowlist has.
async fn taken_up(client: &Client, tenant: &Tenant, rows: i64) {
    let sql = format!("SELECT count(*) FROM decision WHERE tenant_id = {}", tenant.id);
    wait::until_true("the set is kept up", wait::secs(60), || async {
        client.query_one(&sql, &[]).await.expect("set").get::<_, i64>(0) == rows
    })
    .await;
}

fn named_in(dump: &str, address: &str) -> BTreeSet<String> {
    let whole = Regex::new(&format!(r"(^|[^0-9]){}($|[^0-9])", regex::escape(address))).expect("pattern");
    let lines = dump.lines().filter(|line| whole.is_match(line));
    lines
        .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
        .collect()
}

/// Signals about the victim, about others, and one about another that mentions it.
fn signals() -> Vec<Value> {
    let mut all = vec![
        signal(VICTIM),
        undecided(VICTIM),
        signal("203.0.113.99"),
        signal("198.51.100.4"),
    ];
    let mut mentions = signal("198.51.100.5");
    mentions["message"] = json!(format!("198.51.100.5 came with {VICTIM}:443, and é"));
    mentions["context"] = json!([{"key": "target", "value": format!("[\"{VICTIM}\"]")}]);
    let mut second = mentions["decisions"][0].clone();
    second["value"] = json!(VICTIM);
    mentions["decisions"]
        .as_array_mut()
        .expect("decisions")
        .push(second);
    let mut named = signal(VICTIM);
    named["scenario"] = json!(format!("manual: {VICTIM}"));
    all.extend([
        mentions,
        named,
        json!({"scenario": 7, "source": {"value": VICTIM}}),
    ]);
    all
}

async fn filled(world: &World, name: &str) -> Tenant {
    let tenant = world.tenant(name).await;
    let api = world.api_of(&tenant);
    let machine = world.machine(name).await;
    for _ in 0..3 {
        machine.push(world.server(), &signals()).await.expect(200);
    }
    api.post("/api/allowlists", &json!({"name": "mine"}))
        .await
        .expect(201);
    for value in [VICTIM, "192.0.2.5"] {
        let entry = json!({"entries": [{"value": value}]});
        api.post("/api/allowlists/mine/entries", &entry).await.expect(200);
    }
    api.delete(&format!("/api/allowlists/mine/entries?value={VICTIM}"))
        .await;
    let entry = json!({"entries": [{"value": VICTIM, "reason": "x"}]});
    api.post("/api/allowlists/mine/entries", &entry).await.expect(200);
    tenant
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_nowhere_afterwards_and_nothing_else_is_gone() {
    let mut world = World::with(1, &[]).await;
    let (acme, umbrella) = (filled(&world, "acme").await, filled(&world, "umbrella").await);
    world.capi.close();
    let machine = world.machine("acme").await;
    let waiting = signals();
    machine.push(world.server(), &waiting).await.expect(200);
    let client = world.db.client().await;
    let api = world.api_of(&acme);
    let cached = zstd::encode_all(format!("{{\"new\":[\"{VICTIM}\"]}}").as_bytes(), 1).expect("zstd");
    let sql = format!(
        "INSERT INTO stream_cache (tenant_id, machine_id, target, content_type, body) VALUES ({}, 7, '/x', 'x', $1)",
        acme.id
    );
    client.execute(&sql, &[&cached]).await.expect("cached");
    let sql = format!(
        "INSERT INTO idempotent_answer (tenant_id, key, request, status, body) VALUES ({}, 'k', '', 200, '\"{VICTIM}\"')",
        acme.id
    );
    client.batch_execute(&sql).await.expect("answer");
    let sql = format!(
        "WITH a AS (INSERT INTO analyzer (tenant_id, slug, rule, url, enabled) VALUES ({id}, 'a', '{{}}', 'https://x.test/', false) RETURNING id),
           m AS (INSERT INTO analyzer_mark (tenant_id, analyzer_id, value, acted_ns) SELECT {id}, id, '{VICTIM}', 1 FROM a)
         INSERT INTO analyzer_run (tenant_id, analyzer_id, by_hand, started_at, lines, skipped, detections, decisions, refused, truncated, results, pushes)
         SELECT {id}, id, false, now(), 1, 0, 1, 1, 0, '{{}}', '[{{\"value\": \"{VICTIM}\"}}]', '[]' FROM a",
        id = acme.id
    );
    client.batch_execute(&sql).await.expect("an analyzer");

    taken_up(&client, &acme, 6).await;
    taken_up(&client, &umbrella, 3).await;
    let before = dump(&client, &acme.id).await;
    assert!(
        named_in(&before, VICTIM).len() >= 7,
        "{:?}",
        named_in(&before, VICTIM)
    );
    let theirs = dump(&client, &umbrella.id).await;
    let asked = ["erase", "--tenant", "acme", "--address", VICTIM];
    let said = world.cli.json(&asked).await;
    assert_eq!(
        (&said["applied"], &said["counts"]["alert"]),
        (&json!(false), &json!(12)),
        "{said}"
    );
    assert_eq!(
        named_in(&dump(&client, &acme.id).await, VICTIM),
        named_in(&before, VICTIM)
    );

    let done: Vec<&str> = asked.iter().copied().chain(["--yes", "--wait", "20"]).collect();
    let done = world.cli.json(&done).await;
    assert_eq!(
        (&done["complete"], &done["left"]),
        (&json!(true), &json!({})),
        "{done}"
    );
    assert_eq!(done["counts"]["alert"], 12, "{done}");
    assert_eq!(done["counts"]["allowlist_entry"], 1, "{done}");
    let after = dump(&client, &acme.id).await;
    let left = named_in(&after, VICTIM);
    assert!(left.is_empty(), "still in {left:?}");
    assert!(
        !format!("{done}").contains(VICTIM),
        "a proof that tells it is none"
    );
    // Its neighbour by name, and all others, are as they were. The name of a scenario without a place goes with any sweep.
    let mut others = [&after, &before].map(|dump| named_in(dump, "203.0.113.99"));
    others.iter_mut().for_each(|names| drop(names.take("stat_name")));
    assert_eq!(others[0], others[1]);
    let rows = world.alerts(&api, "raw=true").await;
    let reported: Vec<&Value> = rows.iter().filter(|row| row["localAudit"] == false).collect();
    assert_eq!(reported.len(), 12);
    for row in &reported {
        let raw: Value = serde_json::from_str(row["rawJson"].as_str().expect("raw")).expect("still JSON");
        assert_eq!(raw["uuid"], row["uuid"]);
    }
    let mention = reported
        .iter()
        .find(|row| row["sourceValue"] == "198.51.100.5")
        .expect("kept");
    assert_eq!(
        mention["message"],
        "198.51.100.5 came with ***********:443, and é"
    );
    // Who did what stays, without the address.
    let deeds = rows.iter().filter(|row| row["localAudit"] == true).count();
    assert!(deeds >= 4, "{deeds}");
    // Charts are exact, and know nothing of the scenario that was named after it.
    let stats = api.get("/api/stats?period=all").await.expect(200).json();
    assert_eq!(stats["total"], 12, "{stats}");
    // Umbrella's rows of the same address are untouched.
    assert_eq!(lasting(&dump(&client, &umbrella.id).await), lasting(&theirs));
    assert_eq!(
        named_in(&dump(&client, &umbrella.id).await, VICTIM),
        named_in(&theirs, VICTIM)
    );
    // What waited still leaves; what was erased does not.
    world.capi.open();
    let sent: BTreeSet<String> = waiting
        .iter()
        .filter(|s| s["source"]["ip"] != VICTIM && s["uuid"].is_string())
        .map(uuid_of)
        .collect();
    wait::until_true("the others leave", wait::secs(60), || async {
        let rows = world.alerts(&api, "forwardedToCapi=true").await;
        let gone: BTreeSet<String> = rows.iter().map(uuid_of).collect();
        sent.is_subset(&gone)
    })
    .await;
    let erased: Vec<String> = waiting
        .iter()
        .filter(|s| s["source"]["ip"] == VICTIM)
        .map(uuid_of)
        .collect();
    assert!(
        erased
            .iter()
            .all(|uuid| !world.capi.delivered().contains_key(uuid))
    );
    // The proof is kept, and again there is nothing.
    let proofs = world.cli.json(&["erase", "--list"]).await;
    assert_eq!(
        (&proofs[0]["digest"], &proofs[0]["complete"]),
        (&done["proof"]["digest"], &json!(true))
    );
    let again = world.cli.json(&asked).await;
    assert_eq!(again["counts"], json!({}), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bans_are_taken_back_from_servers_first() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let acme = world.tenant("acme").await;
    let api = world.api_of(&acme);
    let (near, away) = (Lapi::start().await, Lapi::start().await);
    api.post("/api/lapi-servers", &near.member("near"))
        .await
        .expect(201);
    api.post("/api/lapi-servers", &away.member("away"))
        .await
        .expect(201);
    let machine = world.machine("acme").await;
    machine
        .push_ok(world.server(), &[signal(VICTIM), signal("198.51.100.4")])
        .await;
    for lapi in [&near, &away] {
        wait::until_true("replicated", wait::secs(60), || async {
            lapi.copies().len() == 2
        })
        .await;
    }
    away.down().await;
    let asked = [
        "erase",
        "--tenant",
        "acme",
        "--address",
        "203.0.113.0/28",
        "--yes",
        "--wait",
        "8",
        "-o",
        "json",
    ];
    // One server is away: what stands there is remembered until it is taken back.
    let out = world.cli.run(&asked).await.expect_refused();
    let said: Value = serde_json::from_str(&out.stdout).expect("a report");
    assert_eq!(
        (&said["complete"], &said["left"]),
        (&json!(false), &json!({"lapi_copy": 1})),
        "{said}"
    );
    assert_eq!(near.copies(), ["198.51.100.4"]);
    away.up().await;
    let again = [
        "erase",
        "--tenant",
        "acme",
        "--address",
        VICTIM,
        "--yes",
        "--wait",
        "90",
    ];
    // A lane that failed waits before it tries again.
    let done = world.cli.json(&again).await;
    assert_eq!(done["complete"], true, "{done}");
    assert_eq!(
        (away.copies(), near.copies()),
        (vec!["198.51.100.4".to_owned()], vec!["198.51.100.4".to_owned()])
    );
    let client = world.db.client().await;
    let left = named_in(&dump(&client, &acme.id).await, VICTIM);
    assert!(left.is_empty(), "still in {left:?}");
    // The tenant itself: its servers first, then everything.
    let done = world
        .cli
        .json(&[
            "erase",
            "--tenant",
            "acme",
            "--everything",
            "--yes",
            "--wait",
            "90",
        ])
        .await;
    assert_eq!(done["complete"], true, "{done}");
    assert!(away.copies().is_empty() && near.copies().is_empty());
    let left = dump(&client, &acme.id).await;
    assert!(left.lines().all(|line| line.starts_with("erasure:")), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_goes_whole_and_alone() {
    let world = World::with(2, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let (acme, umbrella) = (filled(&world, "acme").await, filled(&world, "umbrella").await);
    let client = world.db.client().await;
    taken_up(&client, &umbrella, 3).await;
    let theirs = dump(&client, &umbrella.id).await;
    let machine = world.machine("acme").await;
    let asked = ["erase", "--tenant", "acme", "--everything"];
    let said = world.cli.json(&asked).await;
    assert_eq!(
        (&said["applied"], &said["counts"]["signal_batch"]),
        (&json!(false), &json!(3)),
        "{said}"
    );
    world.api_of(&acme).get("/api/alerts").await.expect(200);
    let done: Vec<&str> = asked.iter().copied().chain(["--yes"]).collect();
    let done = world.cli.json(&done).await;
    assert_eq!(done["complete"], true, "{done}");
    assert!(
        done["counts"]["alert"].as_i64().is_some_and(|n| n >= 18),
        "{done}"
    );
    let answer = machine.push(world.server(), &[signal("192.0.2.1")]).await;
    assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
    assert_eq!(world.api_of(&acme).get("/api/alerts").await.status, 401);
    let left = dump(&client, &acme.id).await;
    assert!(
        left.lines().all(|line| line.starts_with("erasure:")) && left.lines().count() == 1,
        "{left}"
    );
    let name: String = client
        .query_one(&format!("SELECT name FROM tenant WHERE id = {}", acme.id), &[])
        .await
        .expect("the number stays")
        .get(0);
    assert_eq!(name, format!("erased {}", acme.id));
    for table in ["credential", "machine_login"] {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = {}", acme.id);
        let row = client.query_one(&sql, &[]).await.expect(table);
        assert_eq!(row.get::<_, i64>(0), 0, "{table}");
    }
    assert_eq!(lasting(&dump(&client, &umbrella.id).await), lasting(&theirs));
    // Its name is free again.
    world.tenant("acme").await;
    let nobody = ["erase", "--tenant", "nobody", "--everything"];
    world.cli.run(&nobody).await.expect_refused();
    let nothing = ["erase", "--tenant", "acme"];
    world.cli.run(&nothing).await.expect_refused();
    for bad in ["0.0.0.0/0", "10.0.0.0/7", "x", "2001::/16"] {
        let wide = ["erase", "--tenant", "acme", "--address", bad];
        world.cli.run(&wide).await.expect_refused();
    }
}

/// A table more must be told to erasure.
#[tokio::test]
async fn every_table_of_tenants_rows_is_erased() {
    let world = World::start().await;
    let text = std::fs::read_to_string("sql/erase/delete_rest.sql").expect("the statement");
    let before = [
        "alert",
        "alert_decision",
        "signal_batch",
        "rejected_signal",
        "erasure",
        "tenant_erasure",
    ];
    let sql = "SELECT relname::text FROM pg_class WHERE relrowsecurity AND relname NOT IN ('audit_entry', 'audit_head')";
    for row in world.db.client().await.query(sql, &[]).await.expect("tables") {
        let table: String = row.get(0);
        let named = text.contains(&format!("DELETE FROM {table} WHERE"));
        assert!(
            named || before.contains(&table.as_str()),
            "teach sql/erase/delete_rest.sql about {table}"
        );
    }
}
