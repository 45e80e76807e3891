//! How long rows live: by class and tenant, whoever dies in the middle; statistics stay exact; nobody else's rows go.
use crate::support::http::Api;
use crate::support::machine::{address, signal, undecided};
use crate::support::wait;
use crate::support::world::{Tenant, World};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// Makes rows of a tenant older, as if everything had happened so much earlier.
async fn age(client: &Client, tenant: &str, condition: &str, days: i32) {
    let move_on = |table: &str, key: &str| {
        format!(
            "UPDATE {table} SET received_at = received_at - interval '{days} days' WHERE tenant_id = {tenant} AND {key} IN
             (SELECT batch_id FROM alert WHERE tenant_id = {tenant} AND {condition}) "
        )
    };
    // A batch's key begins with its time of receipt.
    let script = format!(
        "BEGIN; CREATE TEMP TABLE moved AS SELECT id, overlay(time_key(received_at - interval '{days} days')::text PLACING substr(id::text, 15) FROM 15)::uuid AS new_id
           FROM signal_batch WHERE tenant_id = {tenant} AND id IN (SELECT batch_id FROM alert WHERE tenant_id = {tenant} AND {condition});
         {}; {};
         UPDATE alert a SET batch_id = m.new_id FROM moved m WHERE a.tenant_id = {tenant} AND a.batch_id = m.id;
         UPDATE rejected_signal r SET batch_id = m.new_id FROM moved m WHERE r.tenant_id = {tenant} AND r.batch_id = m.id;
         UPDATE signal_batch b SET id = m.new_id FROM moved m WHERE b.tenant_id = {tenant} AND b.id = m.id;
         DROP TABLE moved; COMMIT",
        move_on("signal_batch", "id"),
        move_on("alert", "batch_id"),
    );
    client
        .batch_execute(&script)
        .await
        .unwrap_or_else(|e| panic!("{:?}", e.as_db_error()));
}

async fn count(client: &Client, tenant: &str, table: &str) -> i64 {
    let (table, condition) = table.split_once(" WHERE ").unwrap_or((table, "true"));
    let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = {tenant} AND {condition}");
    client.query_one(&sql, &[]).await.expect(table).get(0)
}

/// What the charts say and what the rows say, at one instant each: they agree when nothing is under way.
async fn exact(api: &Api, client: &Client, tenant: &str) {
    let said = api.get("/api/stats?period=all").await.expect(200).json();
    let decided = api
        .get("/api/stats/decisions?period=all")
        .await
        .expect(200)
        .json();
    let alerts = count(client, tenant, "alert WHERE NOT local_audit").await;
    assert_eq!(said["total"], alerts, "{said}");
    let decisions = count(client, tenant, "alert_decision").await;
    let counted: i64 = decided["byDurationCategory"].as_array().map_or(decisions, |all| {
        all.iter().filter_map(|d| d["count"].as_i64()).sum()
    });
    assert_eq!(counted, decisions, "{decided}");
}

async fn whole(api: &Api) -> String {
    let answer = api.get("/metrics").await.expect(200);
    String::from_utf8_lossy(&answer.body).into_owned()
}

async fn swept(client: &Client, tenant: &str) {
    wait::until_true("the sweep ends", wait::secs(60), || async {
        let sql = format!("SELECT EXISTS (SELECT FROM sweep WHERE tenant_id = {tenant} AND swept_at > now() - interval '5 minutes' AND lease_until <= now())");
        client.query_one(&sql, &[]).await.expect("sweep").get(0)
    })
    .await;
}

/// As an hour later: the next look sweeps. Where what went before took long, there was a sweep already.
async fn hour(client: &Client) {
    client
        .batch_execute("UPDATE sweep SET swept_at = now() - interval '61 minutes' WHERE lease_until <= now()")
        .await
        .expect("an hour");
}

async fn filled(world: &World, name: &str, batches: u32, each: u32) -> Tenant {
    let tenant = world.tenant(name).await;
    let machine = world.machine(name).await;
    for batch in 0..batches {
        let mut items: Vec<Value> = (0..each).map(|n| signal(&address(batch * each + n))).collect();
        items.push(undecided("198.51.100.7"));
        items.push(json!({"scenario": 7}));
        machine.push(world.server(), &items).await.expect(200);
    }
    tenant
}

const OFF: (&str, &str) = ("GARRISON_FORWARD_ENABLED", "false");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_go_by_the_tenants_own_days_and_statistics_stay_exact() {
    let mut world = World::with(1, &[OFF]).await;
    let (acme, umbrella) = (
        filled(&world, "acme", 6, 40).await,
        filled(&world, "umbrella", 2, 10).await,
    );
    let client = world.db.client().await;
    // Half of acme's is 40 days old, all of umbrella's.
    age(
        &client,
        &acme.id,
        "batch_id IN (SELECT id FROM signal_batch WHERE tenant_id = alert.tenant_id ORDER BY id LIMIT 3)",
        40,
    )
    .await;
    age(&client, &umbrella.id, "true", 40).await;
    let (mine, theirs) = (world.api_of(&acme), world.api_of(&umbrella));
    let kept = theirs
        .put("/api/retention", &json!({"alerts": 50}))
        .await
        .expect(200);
    assert_eq!(kept.json()["classes"][0]["days"], 50);
    exact(&mine, &client, &acme.id).await;
    let before = count(&client, &umbrella.id, "alert").await;
    assert_eq!(count(&client, &acme.id, "alert").await, 6 * 41);
    // A start is enough: within the hour that a process would wait, another one begins.
    hour(&client).await;
    world.add_server().await;
    swept(&client, &acme.id).await;
    assert_eq!(count(&client, &acme.id, "alert").await, 3 * 41);
    assert_eq!(count(&client, &acme.id, "alert_decision").await, 3 * 40);
    assert_eq!(count(&client, &acme.id, "signal_batch").await, 3);
    assert_eq!(count(&client, &acme.id, "rejected_signal").await, 3);
    exact(&mine, &client, &acme.id).await;
    exact(&theirs, &client, &umbrella.id).await;
    assert_eq!(
        count(&client, &umbrella.id, "alert").await,
        before,
        "not umbrella's"
    );
    assert_eq!(count(&client, &umbrella.id, "signal_batch").await, 2);
    // What stays can be read in full, and what comes is taken.
    let rows = world.alerts(&mine, "raw=true").await;
    assert!(rows.iter().all(|row| row["rawJson"].is_string()));
    // Umbrella's, by the command line, an hour later.
    let set = [
        "tenant",
        "retention",
        "umbrella",
        "--set",
        "alerts=35",
        "--set",
        "bodies=10",
    ];
    let shown = world.cli.json(&set).await;
    assert_eq!(
        (&shown[0]["days"], &shown[1]["days"]),
        (&json!(35), &json!(10)),
        "{shown}"
    );
    hour(&client).await;
    wait::until_true("umbrella's go, too", wait::secs(60), || async {
        count(&client, &umbrella.id, "signal_batch").await == 0
    })
    .await;
    assert_eq!(count(&client, &umbrella.id, "alert").await, 0);
    exact(&theirs, &client, &umbrella.id).await;
    exact(&mine, &client, &acme.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_dies_in_the_middle_leaves_it_to_the_next() {
    let mut world = World::with(1, &[OFF]).await;
    let acme = filled(&world, "acme", 8, 500).await;
    let client = world.db.client().await;
    age(&client, &acme.id, "true", 31).await;
    let api = world.api_of(&acme);
    let (all, batches) = (count(&client, &acme.id, "alert").await, 8);
    assert_eq!(all, 8 * 501);
    let doomed = world.add_server().await;
    wait::until_true("it has begun", wait::secs(30), || async {
        count(&client, &acme.id, "alert").await < all
    })
    .await;
    world.servers[doomed].kill9();
    let left = count(&client, &acme.id, "alert").await;
    assert!(
        left > 0 && left < all,
        "{left} of {all}: killed too late to show anything"
    );
    exact(&api, &client, &acme.id).await;
    assert!(count(&client, &acme.id, "signal_batch").await <= batches);
    // The lease ends, and the other one goes on; meanwhile charts are exact and engines are served.
    let machine = world.machine("acme").await;
    machine.push_ok(world.server(), &[signal("203.0.113.77")]).await;
    wait::until_true("it goes on", wait::secs(120), || async {
        count(&client, &acme.id, "signal_batch").await == 1
    })
    .await;
    assert_eq!(count(&client, &acme.id, "alert").await, 1);
    assert_eq!(count(&client, &acme.id, "alert_decision").await, 1);
    exact(&api, &client, &acme.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_capi_is_kept_longer_and_given_up_aloud() {
    let mut world = World::with(1, &[]).await;
    world.capi.close();
    let acme = filled(&world, "acme", 1, 5).await;
    let machine = world.machine("acme").await;
    machine
        .push_ok(world.server(), &[signal("203.0.113.1"), undecided("203.0.113.2")])
        .await;
    let client = world.db.client().await;
    world
        .cli
        .json(&["tenant", "retention", "acme", "--set", "bodies=5"])
        .await;
    // A turn that is under way would miss the batches that move; the next ones find nothing to do until it is over.
    let hold = "UPDATE lane SET next_try_at = now() + interval '1 hour', fence = fence + 1, lease_until = '-infinity' WHERE topic = 1";
    client.batch_execute(hold).await.expect("lanes held");
    tokio::time::sleep(wait::secs(2)).await;
    let newer = "batch_id = (SELECT max(id::text) FROM signal_batch WHERE tenant_id = alert.tenant_id)::uuid";
    // One batch has waited for 100 days, the other for 40.
    age(&client, &acme.id, &format!("NOT ({newer})"), 100).await;
    age(&client, &acme.id, newer, 40).await;
    hour(&client).await;
    let one = world.add_server().await;
    swept(&client, &acme.id).await;
    // Five of the first batch waited for too long; the one of the second still waits, with its bytes.
    let sql = format!(
        "SELECT forward_state::int, count(*) FROM alert WHERE tenant_id = {} GROUP BY 1",
        acme.id
    );
    let rows = client.query(&sql, &[]).await.expect("states");
    let states: Vec<(i32, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(states, [(1, 1)]);
    let log = world.servers.iter().map(|s| s.log()).collect::<String>();
    assert!(log.contains("alerts went that CAPI had not taken"), "{log}");
    let metrics = whole(&world.servers[one].api(None)).await;
    let first = whole(&world.server().api(None)).await;
    assert!(format!("{metrics}{first}").contains("garrison_alerts_given_up_total 5"));
    assert_eq!(count(&client, &acme.id, "signal_batch").await, 1);
    world.capi.open();
    let go_on = "UPDATE lane SET next_try_at = '-infinity' WHERE topic = 1";
    client.batch_execute(go_on).await.expect("lanes go on");
    wait::until_true("it leaves", wait::secs(60), || async {
        let sql = format!(
            "SELECT count(*) FROM alert WHERE tenant_id = {} AND forward_state = 2",
            acme.id
        );
        client
            .query_one(&sql, &[])
            .await
            .expect("states")
            .get::<_, i64>(0)
            == 1
    })
    .await;
    // Taken now: it goes like any other, and the log of what was given up with it.
    hour(&client).await;
    wait::until_true("it goes", wait::secs(60), || async {
        count(&client, &acme.id, "signal_batch").await == 0
    })
    .await;
    assert_eq!(count(&client, &acme.id, "alert").await, 0);
    assert_eq!(count(&client, &acme.id, "outbox").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_may_go_earlier_and_deeds_stay_longer() {
    let mut world = World::with(1, &[OFF]).await;
    let acme = filled(&world, "acme", 2, 5).await;
    let api = world.api_of(&acme);
    let client = world.db.client().await;
    api.post("/api/allowlists", &json!({"name": "mine"}))
        .await
        .expect(201);
    api.post(
        "/api/allowlists/mine/entries",
        &json!({"entries": [{"value": "203.0.113.1"}]}),
    )
    .await
    .expect(200);
    let deeds = count(&client, &acme.id, "alert WHERE local_audit").await;
    assert!(deeds > 0, "an allowlist's entry leaves a row");
    let older = |days: i32| {
        format!("UPDATE alert SET received_at = now() - interval '{days} days' WHERE local_audit")
    };
    client.batch_execute(&older(200)).await.expect("older");
    age(
        &client,
        &acme.id,
        "batch_id = (SELECT min(id::text) FROM signal_batch)::uuid",
        8,
    )
    .await;
    api.put("/api/retention", &json!({"bodies": 7})).await.expect(200);
    hour(&client).await;
    world.add_server().await;
    swept(&client, &acme.id).await;
    assert_eq!(
        count(&client, &acme.id, "signal_batch WHERE body IS NULL").await,
        1
    );
    assert_eq!(count(&client, &acme.id, "alert WHERE NOT local_audit").await, 12);
    let rows = world.alerts(&api, "raw=true").await;
    let of = |present: bool| {
        rows.iter()
            .filter(|r| r["localAudit"] == false && r["rawJson"].is_string() == present)
            .count()
    };
    assert_eq!((of(true), of(false)), (6, 6));
    assert_eq!(count(&client, &acme.id, "alert WHERE local_audit").await, deeds);
    client.batch_execute(&older(366)).await.expect("older");
    hour(&client).await;
    wait::until_true("deeds end, too", wait::secs(60), || async {
        count(&client, &acme.id, "alert WHERE local_audit").await == 0
    })
    .await;
}

#[tokio::test]
async fn the_api_and_the_command_line_agree() {
    let world = World::with(1, &[OFF, ("GARRISON_RETENTION_AUDIT_DAYS", "100")]).await;
    let acme = world.tenant("acme").await;
    let api = world.api_of(&acme);
    let days = |answer: &Value| -> Vec<i64> {
        let all = answer["classes"].as_array().expect("classes");
        all.iter()
            .map(|class| class["days"].as_i64().expect("days"))
            .collect()
    };
    assert_eq!(
        days(&api.get("/api/retention").await.expect(200).json()),
        [30, 30, 100, 90, 90]
    );
    let put = api
        .put("/api/retention", &json!({"alerts": 7, "audit": 200}))
        .await
        .expect(200);
    assert_eq!(days(&put.json()), [7, 7, 200, 90, 90]);
    for (body, field) in [
        (json!({"alerts": 0}), "alerts"),
        (json!({"alerts": 40000}), "alerts"),
        (json!({"nothing": 5}), "nothing"),
        (json!({"audit": 99}), "audit"),
    ] {
        let refused = api.put("/api/retention", &body).await.expect(400).text();
        assert!(refused.contains(field), "{body}: {refused}");
    }
    // A tenant does not shorten what is remembered of it, neither to the default; the operator may.
    api.put("/api/retention", &json!({"audit": 150}))
        .await
        .expect(400);
    let put = api.put("/api/retention", &json!({})).await.expect(200);
    assert_eq!(days(&put.json()), [30, 30, 200, 90, 90]);
    world
        .cli
        .json(&["tenant", "retention", "acme", "--set", "audit=10"])
        .await;
    assert_eq!(
        days(&api.get("/api/retention").await.expect(200).json()),
        [30, 30, 10, 90, 90]
    );
    let shown = world
        .cli
        .json(&["tenant", "retention", "acme", "--unset", "audit"])
        .await;
    assert_eq!(
        shown[2],
        json!({"class": "audit", "days": 100, "default": 100, "own": false})
    );
    for bad in ["alerts", "alerts=x", "alert=3", "alerts=0"] {
        world
            .cli
            .run(&["tenant", "retention", "acme", "--set", bad])
            .await
            .expect_refused();
    }
}
