//! Partitions that are missing: pushes lose nothing, the alarm is heard, and it mends by itself. The clock cannot be set,
//! so the partitions are: a database whose partitions end in the past is one whose clock went ahead.
use crate::support::garrison::Server;
use crate::support::http::Api;
use crate::support::machine::{Machine, signal, time, uuid_of};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

const TABLES: [&str; 4] = ["alert", "alert_decision", "signal_batch", "rejected_signal"];

/// Takes all partitions away whose weeks end after `from`, as if they had never been made. Their rows go with them.
async fn without(client: &Client, from: &str) -> i64 {
    let mut gone = 0;
    for table in TABLES {
        let sql = format!(
            "SELECT part::text FROM partition_bounds('{table}'::regclass) WHERE lo IS NOT NULL AND hi > {from}"
        );
        for row in client.query(&sql, &[]).await.expect("bounds") {
            let part: String = row.get(0);
            client
                .batch_execute(&format!("DROP TABLE {part}"))
                .await
                .expect("drop");
            gone += 1;
        }
    }
    gone
}

async fn days(client: &Client) -> f64 {
    let row = client.query_one("SELECT partitions_ahead()", &[]).await;
    row.expect("ahead").get(0)
}

async fn stored(world: &World, api: &Api, sent: &[Value]) {
    let ids = |all: &[Value]| all.iter().map(uuid_of).collect::<BTreeSet<_>>();
    let rows = world.alerts(api, "").await;
    let lost: Vec<_> = ids(sent).difference(&ids(&rows)).cloned().collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

async fn whole(api: &Api) -> String {
    let answer = api.get("/metrics").await.expect(200);
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn dated(n: u32, start: &str) -> Value {
    let mut item = signal(&format!("192.0.2.{n}"));
    item["start_at"] = json!(start);
    item
}

/// Starts that no partition was made for.
fn odd() -> Vec<Value> {
    let years = [
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "2038-01-19T03:14:08Z",
        "1969-12-31T23:59:59Z",
        "nonsense",
    ];
    let mut all: Vec<Value> = years.iter().zip(1..).map(|(at, n)| dated(n, at)).collect();
    let day = 86_400;
    for (n, seconds) in [10 * 366 * day, 400 * day, 2 * day, 3600, -400 * day, -35 * day]
        .iter()
        .enumerate()
    {
        all.push(dated(100 + u32::try_from(n).expect("few"), &time(*seconds)));
    }
    all
}

async fn log_says(server: &Server, words: &str) {
    wait::until_true(words, wait::secs(60), || {
        let said = server.log().contains(words);
        async move { said }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_goes_30_days_ahead_and_nothing_is_lost() {
    let world = World::with(2, &[]).await;
    let machine = world.machine("default").await;
    let client = world.db.client().await;
    assert!(days(&client).await >= 28.0);
    let mut sent = odd();
    machine.push_ok(world.server(), &sent).await;
    stored(&world, &world.api(), &sent).await;

    // No partition from this week on, on all four tables: what 30 days with the maker stopped lead to.
    assert!(without(&client, "now()").await >= 16);
    assert!(days(&client).await <= 0.0);
    // What was sent before went with the partitions, in this test alone.
    sent = odd();
    for (n, server) in (30..).zip(&world.servers) {
        sent.push(signal(&format!("198.51.100.{n}")));
        let begun = Instant::now();
        // As an engine that keeps what is not taken: sent again until it is.
        loop {
            let answer = machine.push_to(server.address, "/v3/signals", &sent).await;
            match answer.status {
                200 => break,
                503 => assert!(begun.elapsed() < Duration::from_secs(60), "not mended"),
                other => panic!("{other}: {}", answer.text()),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    stored(&world, &world.api(), &sent).await;
    assert!(days(&client).await >= 28.0);
    let alarmed = world.servers.iter().any(|server| {
        let log = server.log();
        log.contains("partitions for few days are left") && log.contains("\"ERROR\"")
    });
    assert!(alarmed, "no alarm in the log");
    let mut alarms = 0.0;
    for server in &world.servers {
        let metrics = whole(&server.api(None)).await;
        let of = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(name))?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        alarms += of("garrison_partition_alarms_total").unwrap_or(0.0);
        assert!(of("garrison_partitions_ahead_days").is_some(), "{metrics}");
    }
    assert!(alarms >= 1.0, "no alarm in the metrics");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_partitions_are_found_without_a_push() {
    let world = World::start().await;
    let client = world.db.client().await;
    // Few weeks left, and a gap: neither keeps today's pushes out.
    without(&client, "now() + interval '6 days'").await;
    let left = days(&client).await;
    assert!(left < 7.0, "{left}");
    wait::until_true("partitions are made", wait::secs(60), || async {
        days(&client).await >= 28.0
    })
    .await;
    log_says(world.server(), "partitions for few days are left").await;
    let metrics = whole(&world.server().api(None)).await;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("garrison_partitions_ahead_days "));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    assert!(value.is_some_and(|days| days >= 28.0), "{line:?}");
}

/// What serves alone must not wait for a worker elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_workers_mends_what_a_push_misses() {
    let mut world = World::start().await;
    let machine = world.machine("default").await;
    let alone = Server::spawn(&world.cli, &["serve", "--no-worker"]).await;
    world.servers[0].kill9();
    without(&world.db.client().await, "now()").await;
    let sent = [signal("192.0.2.9")];
    machine.push_ok(&alone, &sent).await;
}

#[tokio::test]
async fn a_gap_is_closed_and_a_detached_week_comes_back_with_its_rows() {
    let world = World::start().await;
    let machine: Machine = world.machine("default").await;
    let sent: Vec<Value> = (1..20).map(|n| signal(&format!("192.0.2.{n}"))).collect();
    machine.push_ok(world.server(), &sent).await;
    let client = world.db.client().await;
    for table in TABLES {
        let sql = format!(
            "SELECT part::text FROM partition_bounds('{table}'::regclass) WHERE lo <= now() AND hi > now()"
        );
        let part: String = client.query_one(&sql, &[]).await.expect("this week").get(0);
        let sql = format!("ALTER TABLE {table} DETACH PARTITION {part}");
        client.batch_execute(&sql).await.expect("detach");
        let sql = format!("ALTER TABLE {table} DETACH PARTITION {table}_old");
        client.batch_execute(&sql).await.expect("detach");
    }
    assert!(days(&client).await < 0.0, "the gap is seen");
    let more = [
        signal("198.51.100.1"),
        dated(200, "1970-01-01T00:00:00Z"),
        dated(201, "9999-01-01T00:00:00Z"),
    ];
    machine.push_ok(world.server(), &more).await;
    let all: Vec<Value> = sent.iter().chain(&more).cloned().collect();
    stored(&world, &world.api(), &all).await;
    assert!(days(&client).await >= 28.0);
}

#[tokio::test]
async fn empty_weeks_are_dropped_and_full_ones_stay() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let client = world.db.client().await;
    // Ten weeks further back, as of an installation that ran for long.
    for table in TABLES {
        let old = "SELECT (b.hi - interval '10 weeks')::text, b.hi::text FROM partition_bounds($1::text::regclass) b WHERE b.lo IS NULL";
        let row = client.query_one(old, &[&table]).await.expect("old");
        let (from, upto): (String, String) = (row.get(0), row.get(1));
        let sql = format!(
            "DO $$ BEGIN ALTER TABLE {table} DETACH PARTITION {table}_old;
             EXECUTE format('ALTER TABLE {table} ATTACH PARTITION {table}_old FOR VALUES FROM (MINVALUE) TO (%L)', time_key('{from}'));
             FOR n IN 0..9 LOOP
               EXECUTE format('CREATE TABLE {table}_past%s PARTITION OF {table} FOR VALUES FROM (%L) TO (%L)', n,
                 time_key('{from}'::timestamptz + n * interval '1 week'), time_key('{from}'::timestamptz + (n + 1) * interval '1 week'));
             END LOOP; END $$"
        );
        client
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|e| panic!("{upto}: {:?}", e.as_db_error()));
    }
    let weeks = async || -> i64 {
        let sql = "SELECT count(*) FROM partition_bounds('alert'::regclass) WHERE hi < now()";
        client.query_one(sql, &[]).await.expect("weeks").get(0)
    };
    let before = weeks().await;
    assert!(before >= 10, "{before}");
    // One row in the fourth of them.
    let kept = dated(1, &time(-(8 * 7 - 3) * 86_400));
    machine.push_ok(world.server(), std::slice::from_ref(&kept)).await;
    let row: String = client
        .query_one("SELECT tableoid::regclass::text FROM alert", &[])
        .await
        .expect("a row")
        .get(0);
    assert!(row.contains("past"), "{row}");
    // A start sweeps and drops: nothing above the row that stays, and nothing of the last 30 days.
    let drop = async |table: &str| -> Result<i32, tokio_postgres::Error> {
        let sql = "SELECT drop_partitions($1, interval '30 days')";
        Ok(client.query_one(sql, &[&table]).await?.get(0))
    };
    // Beside a reader that stays open, it gives up soon instead of holding up every writer.
    let reader = world.db.client().await;
    reader
        .batch_execute("BEGIN; SELECT count(*) FROM alert")
        .await
        .expect("reader");
    client
        .batch_execute("SET lock_timeout = '300ms'")
        .await
        .expect("limit");
    assert!(drop("alert").await.is_err(), "waited for nobody");
    machine.push_ok(world.server(), &[signal("192.0.2.77")]).await;
    reader.batch_execute("ROLLBACK").await.expect("rollback");
    let dropped = drop("alert").await.expect("dropped");
    assert!((1..10).contains(&dropped), "{dropped}");
    assert_eq!(weeks().await, before - i64::from(dropped));
    assert_eq!(drop("alert").await.expect("again"), 0);
    // No date is without a place.
    let mut again: Vec<Value> = odd();
    again.extend((1..11).map(|n| dated(50, &time(-n * 7 * 86_400))));
    machine.push_ok(world.server(), &again).await;
    stored(&world, &world.api(), &again).await;
    stored(&world, &world.api(), &[kept]).await;
    assert!(days(&client).await >= 28.0);
}
