//! Whoever owns the database may do what they like to the audit trail: `audit verify` finds it.
use crate::support::garrison::Output;
use crate::support::lapi::Lapi;
use crate::support::world::{Tenant, World};
use serde_json::{Value, json};
use tokio_postgres::Client;

async fn filled(world: &World, name: &str) -> Tenant {
    let tenant = world.tenant(name).await;
    let api = world.api_of(&tenant);
    for n in 0..4 {
        api.post("/api/allowlists", &json!({"name": format!("l{n}")}))
            .await
            .expect(201);
    }
    tenant
}

async fn verify(world: &World, more: &[&str]) -> (Output, Value) {
    let args = [&["audit", "verify", "-o", "json"], more].concat();
    let output = world.cli.run(&args).await;
    let told = serde_json::from_str(&output.stdout).unwrap_or(Value::Null);
    (output, told)
}

/// What is found about a tenant.
fn of<'a>(told: &'a Value, name: &str) -> &'a Value {
    let all = told.as_array().unwrap_or_else(|| panic!("no verdicts: {told}"));
    all.iter().find(|t| t["tenant"] == name).expect(name)
}

/// As the owner: the columns of tenant's rows put back as they were.
async fn restore(client: &Client) {
    let all = "TRUNCATE audit_text, audit_entry; DELETE FROM audit_head;
        INSERT INTO audit_head SELECT * FROM kept_head; INSERT INTO audit_entry SELECT * FROM kept_entry;
        INSERT INTO audit_text SELECT * FROM kept_text";
    client.batch_execute(all).await.expect("as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tampering_by_the_databases_owner_is_found() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let (acme, _other) = (filled(&world, "acme").await, filled(&world, "umbrella").await);
    let client = world.db.client().await;
    let keep = "CREATE TABLE kept_head AS TABLE audit_head; CREATE TABLE kept_entry AS TABLE audit_entry;
        CREATE TABLE kept_text AS TABLE audit_text";
    client.batch_execute(keep).await.expect("kept");
    let (_, good) = verify(&world, &[]).await;
    for name in ["default", "acme", "umbrella"] {
        assert_eq!(of(&good, name)["good"], true, "{good}");
    }
    let end = of(&good, "acme")["head"].as_str().expect("an end").to_owned();
    assert!(end.starts_with("6:"), "{end}");
    let anchor = format!("acme={end}");
    let id = &acme.id;
    for (what, sql, words) in [
        (
            "an entry edited",
            "UPDATE audit_entry SET action = 'allowlist.add' WHERE seq = 3 AND tenant_id = T",
            "entry 3 was changed",
        ),
        (
            "another actor",
            "UPDATE audit_entry SET actor_id = 4711 WHERE seq = 3 AND tenant_id = T",
            "entry 3 was changed",
        ),
        (
            "words edited",
            "UPDATE audit_text SET target = 'l9' WHERE seq = 4 AND tenant_id = T",
            "the words of entry 4 were changed",
        ),
        (
            "an address edited",
            "UPDATE audit_text SET source = '192.0.2.1' WHERE seq = 4 AND tenant_id = T",
            "the words of entry 4 were changed",
        ),
        (
            "words dropped",
            "DELETE FROM audit_text WHERE seq = 4 AND tenant_id = T",
            "no erasure took them",
        ),
        (
            "words dropped, and an erasure made up",
            "DELETE FROM audit_text WHERE seq = 4 AND tenant_id = T; UPDATE audit_entry SET erased = '{4,4}' WHERE seq = 6 AND tenant_id = T",
            "entry 6 was changed",
        ),
        (
            "words of another entry",
            "UPDATE audit_text t SET target = o.target FROM audit_text o WHERE t.seq = 4 AND o.seq = 5 AND t.tenant_id = T AND o.tenant_id = T",
            "the words of entry 4 were changed",
        ),
        (
            "an entry dropped",
            "DELETE FROM audit_entry WHERE seq = 3 AND tenant_id = T",
            "entries 3 to 3 are missing",
        ),
        (
            "an entry dropped and the gap closed",
            "DELETE FROM audit_entry WHERE seq = 3 AND tenant_id = T; DELETE FROM audit_text WHERE tenant_id = T;
             UPDATE audit_entry SET seq = seq - 1 WHERE seq > 3 AND tenant_id = T; UPDATE audit_head SET seq = 5 WHERE tenant_id = T",
            "entry 3 does not follow the one before",
        ),
        (
            "two entries in the other order",
            "DELETE FROM audit_text WHERE tenant_id = T; UPDATE audit_entry SET seq = seq + 100 WHERE seq IN (3, 4) AND tenant_id = T;
             UPDATE audit_entry SET seq = 3 WHERE seq = 104 AND tenant_id = T; UPDATE audit_entry SET seq = 4 WHERE seq = 103 AND tenant_id = T",
            "entry 3 does not follow the one before",
        ),
        (
            "the end cut off",
            "DELETE FROM audit_entry WHERE seq > 4 AND tenant_id = T",
            "the end was cut off",
        ),
        (
            "all entries dropped",
            "DELETE FROM audit_entry WHERE tenant_id = T",
            "the end was cut off",
        ),
        (
            "all dropped, and the head as if nothing ever was",
            "DELETE FROM audit_entry WHERE tenant_id = T; UPDATE audit_head SET seq = 0, hash = decode(repeat('00', 32), 'hex') WHERE tenant_id = T",
            "all of it is gone",
        ),
        (
            "all dropped with the head",
            "DELETE FROM audit_entry WHERE tenant_id = T; DELETE FROM audit_head WHERE tenant_id = T",
            "its head is gone",
        ),
        (
            "the beginning dropped",
            "DELETE FROM audit_entry WHERE seq = 1 AND tenant_id = T",
            "entries 1 to 1 are missing",
        ),
        (
            "the head forged",
            "UPDATE audit_head SET hash = decode(repeat('ab', 32), 'hex') WHERE tenant_id = T",
            "the head was forged",
        ),
        (
            "the head set back",
            "UPDATE audit_head h SET seq = e.seq, hash = e.hash FROM audit_entry e WHERE e.seq = 4 AND e.tenant_id = T AND h.tenant_id = T",
            "the head was set back",
        ),
        (
            "another tenant's chain in its place",
            "DELETE FROM audit_entry WHERE tenant_id = T;
             INSERT INTO audit_entry SELECT T, seq, at, actor_kind, actor_id, action, outcome, erased, digest, prev, hash FROM kept_entry WHERE tenant_id = T + 1;
             UPDATE audit_head h SET hash = o.hash, seq = o.seq FROM kept_head o WHERE h.tenant_id = T AND o.tenant_id = T + 1",
            "entry 1 was changed",
        ),
    ] {
        let sql = sql.replace(" T", &format!(" {id}"));
        client.batch_execute(&sql).await.unwrap_or_else(|e| panic!("{what}: {:?}", e.as_db_error()));
        let (output, told) = verify(&world, &[]).await;
        output.expect_refused();
        let found = of(&told, "acme");
        assert_eq!(found["good"], false, "{what}");
        assert!(found["faults"].to_string().contains(words), "{what}: {found}");
        for other in ["default", "umbrella"] {
            assert_eq!(of(&told, other)["good"], true, "{what}: {told}");
        }
        restore(&client).await;
    }
    // Rows and head put back together are a chain; only what was kept elsewhere tells.
    let back = format!(
        "DELETE FROM audit_entry WHERE seq > 4 AND tenant_id = {id};
         UPDATE audit_head h SET seq = e.seq, hash = e.hash FROM audit_entry e WHERE e.seq = 4 AND e.tenant_id = {id} AND h.tenant_id = {id}"
    );
    client.batch_execute(&back).await.expect("put back");
    verify(&world, &[]).await.0.expect_ok();
    let (output, told) = verify(&world, &["--expect", &anchor]).await;
    output.expect_refused();
    assert!(
        of(&told, "acme")["faults"]
            .to_string()
            .contains("it was put back"),
        "{told}"
    );
    // Also once it grew again.
    let api = world.api_of(&acme);
    for n in 7..11 {
        api.post("/api/allowlists", &json!({"name": format!("l{n}")}))
            .await
            .expect(201);
    }
    let (output, told) = verify(&world, &["--tenant", "acme", "--expect", &anchor]).await;
    output.expect_refused();
    let faults = of(&told, "acme")["faults"].to_string();
    assert!(faults.contains("is not the one that was expected"), "{told}");
    restore(&client).await;
    verify(&world, &["--expect", &anchor]).await.0.expect_ok();
    for wrong in ["acme", "acme=6", "nobody=1:00"] {
        world
            .cli
            .run(&["audit", "verify", "--expect", wrong])
            .await
            .expect_refused();
    }
    // A change that cannot be put on record is not made.
    let gone = format!(
        "DELETE FROM audit_entry WHERE tenant_id = {id}; DELETE FROM audit_head WHERE tenant_id = {id}"
    );
    client.batch_execute(&gone).await.expect("gone");
    api.post("/api/allowlists", &json!({"name": "unseen"}))
        .await
        .expect(500);
    api.get("/api/allowlists/unseen").await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_role_may_only_add() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let acme = filled(&world, "acme").await;
    let client = world.db.client().await;
    for sql in [
        "UPDATE audit_entry SET action = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "UPDATE audit_text SET target = 'x'",
        "DELETE FROM audit_head",
        "INSERT INTO audit_head (tenant_id) VALUES (1)",
        "UPDATE audit_head SET tenant_id = 1",
    ] {
        let begin = format!(
            "BEGIN; SET LOCAL ROLE garrison_service; SET LOCAL app.tenant = '{}'",
            acme.id
        );
        client.batch_execute(&begin).await.expect("begin");
        let code = client.batch_execute(sql).await.expect_err(sql).code().cloned();
        assert_eq!(code.expect("a code").code(), "42501", "{sql}");
        client.batch_execute("ROLLBACK").await.expect("rollback");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_takes_the_words_and_leaves_the_chain() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let acme = filled(&world, "acme").await;
    let api = world.api_of(&acme);
    let near = Lapi::start().await;
    api.post("/api/lapi-servers", &near.member("near"))
        .await
        .expect(201);
    for ip in ["203.0.113.9", "203.0.113.10"] {
        let ban = json!({"server": "near", "ip": ip, "duration": "1h", "reason": "loud"});
        api.post("/api/decisions/ban", &ban).await.expect(200);
    }
    let asked = [
        "erase",
        "--tenant",
        "acme",
        "--address",
        "203.0.113.9",
        "--yes",
        "--wait",
        "30",
    ];
    let done = world.cli.json(&asked).await;
    assert_eq!(done["counts"]["audit_text"], 1, "{done}");
    let bans = api.get("/api/audit?action=decision.ban").await.expect(200).json();
    let targets: Vec<&Value> = bans
        .as_array()
        .expect("bans")
        .iter()
        .map(|b| &b["target"])
        .collect();
    assert_eq!(targets, [&json!("203.0.113.10"), &Value::Null], "{bans}");
    assert_eq!(bans[1]["actor"]["type"], "token", "who it was stays");
    let words = api.get("/api/audit?action=erase.words").await.expect(200).json();
    assert_eq!(words.as_array().expect("entries").len(), 1, "{words}");
    assert_eq!(words[0]["actor"]["type"], "cli");
    verify(&world, &[]).await.0.expect_ok();
    // A tenant that goes takes its trail along, and nobody else's.
    world
        .cli
        .run(&[
            "erase",
            "--tenant",
            "acme",
            "--everything",
            "--yes",
            "--leave-servers",
        ])
        .await
        .expect_ok();
    let (output, told) = verify(&world, &[]).await;
    output.expect_ok();
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
}
