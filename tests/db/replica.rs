//! Lists and statistics from a standby: near enough or not at all, and one's own changes always.
use crate::support::cluster::Cluster;
use crate::support::garrison::{Server, text};
use crate::support::http::{Answer, Api};
use crate::support::machine::{address, signal};
use crate::support::postgres::{connect, with_database};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::time::Duration;

/// A primary, its standby, and a replica of the service that knows both.
async fn pair() -> (Cluster, Cluster, World) {
    let primary = Cluster::start().await;
    let db = primary.database().await;
    let standby = primary.standby().await;
    let read = with_database(&standby.url, &db.name);
    let world = World::on_with(db, 1, &[("GARRISON_DATABASE_READ_URL", &read)]).await;
    (primary, standby, world)
}

fn signals(from: u32, n: u32) -> Vec<Value> {
    (from..from + n).map(|n| signal(&address(n))).collect()
}

/// How late the answer says it is at most; none for one of the primary's.
fn lag(answer: &Answer) -> Option<f64> {
    let said = answer
        .header("x-garrison-read")
        .expect("the answer says who read");
    match said.strip_prefix("replica; lag=") {
        Some(lag) => Some(lag.parse().expect("a number")),
        None => {
            assert_eq!(said, "primary");
            None
        }
    }
}

async fn until_late(api: &Api, path: &str, late: bool) {
    let what = format!(
        "{path} is answered by the {}",
        if late { "standby" } else { "primary" }
    );
    wait::until_true(&what, wait::secs(20), || async {
        lag(&api.get(path).await.expect(200)).is_some() == late
    })
    .await;
}

async fn count(api: &Api) -> usize {
    let list = api.get("/api/alerts?limit=1000").await.expect(200).json();
    list.as_array().expect("a list").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_answers_lists_and_statistics_as_the_primary_does() {
    let (_primary, standby, mut world) = pair().await;
    let machine = world.machine("default").await;
    machine.push_ok(world.server(), &signals(1, 20)).await;
    // another replica of the service, which knows no standby
    let mut plain = world.cli.clone();
    plain.env.remove("GARRISON_DATABASE_READ_URL");
    world.servers.push(Server::spawn(&plain, &["serve"]).await);
    let (api, plain) = (world.api(), world.servers[1].api(Some(world.admin_token())));
    until_late(&api, "/api/alerts", true).await;
    wait::until_true("all is copied, delivered and folded", wait::secs(30), || async {
        let sent = plain
            .get("/api/alerts?forwardedToCapi=true&limit=1000")
            .await
            .json();
        let copied = api
            .get("/api/alerts?forwardedToCapi=true&limit=1000")
            .await
            .json();
        sent.as_array().is_some_and(|all| all.len() == 20) && copied == sent
    })
    .await;
    let id = text(&plain.get("/api/alerts?limit=1").await.json()[0], "id");
    let one = format!("/api/alerts/{id}");
    let mut late = 0;
    for path in [
        "/api/alerts?limit=7&count=exact",
        "/api/alerts?limit=7&count=estimate&scenario=ssh",
        "/api/alerts?raw=true",
        "/api/alerts/export",
        "/api/alerts/export?format=csv&raw=true",
        &one,
        "/api/stats",
        "/api/stats?country=FR",
        "/api/stats/distribution?period=all&tz=Europe%2FParis",
        "/api/stats/decisions?period=all",
        "/api/stats/heatmap?period=all",
        "/api/stats/heatmap?period=all&scenario=ssh",
        "/api/stats/map?period=all",
        "/api/stats/timeline?period=all&machineId=x",
        "/api/bouncer-metrics",
        "/api/bouncer-metrics/names",
    ] {
        let (here, there) = (api.get(path).await.expect(200), plain.get(path).await.expect(200));
        assert!(
            there.header("x-garrison-read").is_none(),
            "{path}: it has no standby"
        );
        if let Some(lag) = lag(&here) {
            assert!(lag <= 2.0, "{path}: {lag}");
            late += 1;
        }
        assert_eq!(here.text(), there.text(), "{path}");
    }
    assert!(late >= 14, "only {late} of 16 were answered by the standby");
    // what is refused is refused alike, and what is no list is not late
    let wrong = api.get("/api/alerts?limit=0").await.expect(400);
    assert_eq!(wrong.text(), plain.get("/api/alerts?limit=0").await.text());
    assert!(
        api.get("/api/filters")
            .await
            .expect(200)
            .header("x-garrison-read")
            .is_none()
    );
    let scrape = api.get("/metrics").await.text() + &full(&api).await;
    assert!(scrape.contains("garrison_read_replica_usable 1"), "{scrape}");
    // only reads reach it: nothing is written there, and no role that could see more
    let client = connect(&with_database(&standby.url, &world.db.name))
        .await
        .expect("connect");
    assert!(
        client.batch_execute("CREATE TABLE x ()").await.is_err(),
        "it is a standby"
    );
}

async fn full(api: &Api) -> String {
    String::from_utf8_lossy(&api.get("/metrics").await.body).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changed_something_reads_it_and_a_late_standby_is_not_asked() {
    let (_primary, standby, world) = pair().await;
    let machine = world.machine("default").await;
    let api = world.api();
    let other = world.cli.json(&["token", "add", "--scope", "read"]).await;
    let other = world.server().api(Some(&text(&other, "token")));
    until_late(&api, "/api/alerts", true).await;

    api.put("/api/filters", &json!({"mode": "block"}))
        .await
        .expect(200);
    assert_eq!(
        lag(&api.get("/api/alerts").await.expect(200)),
        None,
        "own changes"
    );
    until_late(&other, "/api/alerts", true).await;
    until_late(&api, "/api/alerts", true).await;

    // the standby falls behind: from then on it is asked until the bound, and no longer
    let client = connect(&standby.url).await.expect("connect");
    client
        .simple_query("SELECT pg_wal_replay_pause()")
        .await
        .expect("pause");
    machine.push_ok(world.server(), &signals(1, 5)).await;
    let pushed = std::time::Instant::now();
    loop {
        let answer = api.get("/api/alerts?limit=1000").await.expect(200);
        let since = pushed.elapsed().as_secs_f64();
        let rows = answer.json().as_array().expect("a list").len();
        match lag(&answer) {
            // what it says is true: nothing that is older is missing
            Some(lag) => assert!(
                lag <= 2.0 && (rows == 5 || since < lag + 0.5),
                "{lag} after {since}"
            ),
            None => {
                assert_eq!(rows, 5, "the primary knows all");
                break;
            }
        }
        assert!(
            since < 6.0,
            "a standby that stands still is asked after {since} s"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..10 {
        assert_eq!(count(&api).await, 5);
    }
    client
        .simple_query("SELECT pg_wal_replay_resume()")
        .await
        .expect("resume");
    until_late(&api, "/api/alerts", true).await;
    assert_eq!(count(&api).await, 5);

    // killed: nobody notices but who looks at the header
    standby.kill9().await;
    for _ in 0..20 {
        let answer = api.get("/api/alerts?limit=1000").await.expect(200);
        assert_eq!(lag(&answer), None);
        assert!(answer.took < Duration::from_secs(3), "{:?}", answer.took);
    }
    api.get("/api/stats?period=all").await.expect(200);
    standby.launch().await;
    until_late(&api, "/api/stats?period=all", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_named_as_standby_and_a_stranger_are_not_read_from() {
    let primary = Cluster::start().await;
    let db = primary.database().await;
    let read = db.url.clone();
    let world = World::on_with(db, 1, &[("GARRISON_DATABASE_READ_URL", &read)]).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(lag(&world.api().get("/api/alerts").await.expect(200)), None);
    let seen = full(&world.api()).await;
    assert!(seen.contains("garrison_read_replica_usable 0"), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_server_that_takes_no_writes_any_more_are_given_up() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let name = &world.db.name;
    let owner = world.db.client().await;
    let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    owner.batch_execute(&set).await.expect("read-only");
    // as after a failover that nobody told: new connections lead to a server that only reads
    world.db.terminate_backends().await;
    let refused = machine.push(world.server(), &signals(1, 1)).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    let owner = connect(&crate::support::postgres::server_url())
        .await
        .expect("connect");
    let reset = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    owner.batch_execute(&reset).await.expect("writable");
    // A pooler keeps its connections, whoever gives up theirs: who fails over tells it to reconnect.
    if std::env::var_os("GARRISON_TEST_PGBOUNCER").is_some() {
        world.db.terminate_backends().await;
    }
    wait::until_true("pushes are stored again", wait::secs(10), || async {
        machine.push(world.server(), &signals(1, 1)).await.status == 200
    })
    .await;
}
