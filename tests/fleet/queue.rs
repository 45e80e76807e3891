//! The queue behind replication: fences, fairness, poison, snapshots.
use crate::support::cluster::Cluster;
use crate::support::http::Api;
use crate::support::lapi::{Lapi, Mood};
use crate::support::machine::{Machine, address, signal};
use crate::support::wait;
use crate::support::world::World;
use jiff::Timestamp;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// `n` addresses, sorted as texts.
pub fn values(from: u32, n: u32) -> Vec<String> {
    let mut values: Vec<String> = (from..from + n).map(address).collect();
    values.sort();
    values
}

pub async fn join(api: &Api, name: &str) -> Lapi {
    let lapi = Lapi::start().await;
    api.post("/api/lapi-servers", &lapi.member(name))
        .await
        .expect(201);
    lapi
}

pub async fn push(world: &World, machine: &Machine, values: &[String]) {
    for part in values.chunks(50) {
        let signals: Vec<Value> = part.iter().map(|value| signal(value)).collect();
        machine.push_ok(world.server(), &signals).await;
    }
}

/// How long a change may take that nothing keeps: a replica that a test beside this one froze in the middle of a
/// transaction holds the log back for 15 s, because it is one server.
pub const SOON: u64 = 60;

/// Exactly these copies, each once; how long that took.
pub async fn wait_copies(lapi: &Lapi, expected: &[String], seconds: u64) -> Duration {
    let begun = Instant::now();
    while lapi.copies() != expected {
        let (n, last) = (lapi.copies().len(), expected.len());
        assert!(
            begun.elapsed() < wait::patient(wait::secs(seconds)),
            "not within {seconds} s: {last} copies, but {n}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

pub async fn standing(api: &Api, name: &str) -> Value {
    let server = api.get(&format!("/api/lapi-servers/{name}")).await.expect(200);
    server.json()["replication"].clone()
}

fn kill(pid: u32, signal: Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("pid"));
    nix::sys::signal::kill(pid, signal).expect("a signal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_slept_through_its_lease_undoes_nothing() {
    let mut world = World::start().await;
    let (api, machine) = (world.api(), world.machine("default").await);
    let lapi = join(&api, "paris").await;
    let all = values(0, 6);
    push(&world, &machine, &all).await;
    wait_copies(&lapi, &all, SOON).await;

    // It falls asleep while it ends them, one after the other.
    lapi.set(|mood| mood.slow = Duration::from_millis(700));
    for value in &all {
        let (api, body) = (api.clone(), json!({"ip": value, "reason": "over"}));
        tokio::spawn(async move {
            api.request("POST", "/api/decisions/unban")
                .json(&body)
                .send()
                .await
        });
    }
    // What it did not commit before it falls asleep, nobody promised.
    let db = world.db.client().await;
    let left = "SELECT count(*) FROM decision";
    wait::until_true("all are lifted, and some ended", wait::secs(SOON), || async {
        let n: i64 = db.query_one(left, &[]).await.expect("left").get(0);
        n == 0 && lapi.count("DELETE /v1/decisions") >= 3
    })
    .await;
    kill(world.server().pid, Signal::SIGSTOP);
    lapi.set(|mood| mood.slow = Duration::ZERO);

    let other = world.add_server().await;
    wait_copies(&lapi, &[], SOON).await;
    world.servers.swap(0, other);
    push(&world, &machine, &all).await;
    wait_copies(&lapi, &all, SOON).await;

    kill(world.servers[other].pid, Signal::SIGCONT);
    wait::until_true("it is awake", wait::secs(10), || async {
        world.servers[other].api(None).get("/health").await.status == 200
    })
    .await;
    wait::holds("nothing is undone or doubled", wait::secs(3), || async {
        lapi.copies() == all
    })
    .await;
    lapi.assert_civil();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_slept_through_a_comparison_doubles_nothing() {
    let mut world = World::start().await;
    let (api, machine) = (world.api(), world.machine("default").await);
    let lapi = join(&api, "paris").await;
    let all = values(0, 6);
    push(&world, &machine, &all).await;
    wait_copies(&lapi, &all, SOON).await;
    lapi.store().end(Timestamp::now(), |_| true);

    // It falls asleep with the answer on its way that nothing is there.
    lapi.set(|mood| mood.slow = Duration::from_millis(1500));
    let asked = lapi.count("GET /v1/decisions?origins");
    let body = lapi.member("paris");
    tokio::spawn(async move {
        api.request("PUT", "/api/lapi-servers/paris")
            .json(&body)
            .send()
            .await
    });
    wait::until_true("it compares", wait::secs(20), || async {
        lapi.count("GET /v1/decisions?origins") > asked
    })
    .await;
    kill(world.server().pid, Signal::SIGSTOP);
    lapi.set(|mood| mood.slow = Duration::ZERO);

    world.add_server().await;
    wait_copies(&lapi, &all, SOON).await;
    kill(world.server().pid, Signal::SIGCONT);
    wait::holds("nothing is doubled", wait::secs(4), || async {
        lapi.copies() == all
    })
    .await;
    lapi.assert_civil();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_and_a_dead_server_delay_nobody_else() {
    let world = World::with(2, &[]).await;
    let umbrella = world.tenant("umbrella").await;
    let (api, theirs) = (world.api(), world.api_of(&umbrella));
    let (machine, their_machine) = (world.machine("default").await, world.machine("umbrella").await);
    let mut good = vec![join(&theirs, "oslo").await];
    for name in ["paris", "lyon", "nice"] {
        good.push(join(&api, name).await);
    }
    let (slow, dead) = (join(&api, "slow").await, join(&api, "dead").await);
    let (mut wanted, mut longest) = (Vec::new(), [Duration::ZERO; 2]);
    for round in 0..6 {
        if round == 3 {
            slow.set(|mood| mood.slow = wait::secs(30));
            dead.down().await;
        }
        wanted.extend(values(round * 50, 50));
        wanted.sort();
        let new = values(round * 50, 50);
        tokio::join!(push(&world, &machine, &new), push(&world, &their_machine, &new));
        let mut lags = Vec::new();
        for lapi in &good {
            lags.push(wait_copies(lapi, &wanted, SOON).await);
        }
        let worst = lags.iter().sum::<Duration>();
        let longest = &mut longest[usize::from(round >= 3)];
        *longest = worst.max(*longest);
    }
    println!("the longest way of 50 decisions: {longest:?}, first without a slow and a dead server");
    let limit = (longest[0] * 2).max(longest[0] + wait::secs(3));
    assert!(longest[1] <= limit, "{longest:?}");
    good.iter().for_each(Lapi::assert_civil);
}

/// 200 good ones beside one that the server does not take.
async fn one_is_refused(spoil: impl Fn(&mut Mood, String)) {
    let world = World::start().await;
    let (api, machine) = (world.api(), world.machine("default").await);
    let lapi = join(&api, "paris").await;
    let all = values(0, 201);
    let (bad, mut good) = (all[100].clone(), all.clone());
    good.remove(100);
    lapi.set(|mood| spoil(mood, bad.clone()));
    push(&world, &machine, &all).await;
    wait_copies(&lapi, &good, 60).await;
    wait::until_true("it is shown as refused", wait::secs(90), || async {
        standing(&api, "paris").await["refused"] == 1
    })
    .await;
    let row = world.db.client().await;
    let row = row
        .query_one("SELECT value, error FROM lapi_copy WHERE state = 2", &[])
        .await;
    let row = row.expect("one row");
    assert_eq!(row.get::<_, String>("value"), bad);
    assert!(!row.get::<_, String>("error").is_empty());
    // What is decided later goes its way.
    good.extend(values(500, 1));
    good.sort();
    push(&world, &machine, &values(500, 1)).await;
    wait_copies(&lapi, &good, SOON).await;
    // The comparison that tidies up finds nothing to do.
    let writes = lapi.count("POST /v1/alerts");
    wait::holds("nothing is doubled or tried again", wait::secs(7), || async {
        lapi.copies() == good && lapi.count("POST /v1/alerts") == writes
    })
    .await;
    assert_eq!(standing(&api, "paris").await["backlog"], 0);
    lapi.assert_civil();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_a_server_chokes_on_is_given_up_alone() {
    one_is_refused(|mood, bad| mood.poison = Some(bad)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_a_server_drops_without_a_word_is_given_up_alone() {
    one_is_refused(|mood, bad| mood.dropped = Some(bad)).await;
}

/// A transaction that only reads has no number, and holds nothing up. One that wrote has: what comes after it waits, in
/// every database of the cluster, until it ends; nothing is lost by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_snapshot_holds_nothing_up_and_an_open_write_loses_nothing() {
    let cluster = Cluster::start().await;
    let world = World::on(cluster.database().await, 2).await;
    let (api, machine) = (world.api(), world.machine("default").await);
    let lapi = join(&api, "paris").await;
    let reader = world.db.client().await;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM decision";
    reader.batch_execute(begin).await.expect("a snapshot");
    push(&world, &machine, &values(0, 20)).await;
    wait_copies(&lapi, &values(0, 20), 10).await;
    reader.batch_execute("COMMIT").await.expect("its end");

    let writer = world.db.client().await;
    let begin = "BEGIN; CREATE TABLE scratch (n int)";
    writer.batch_execute(begin).await.expect("a write");
    push(&world, &machine, &values(20, 20)).await;
    wait::holds("it waits", wait::secs(2), || async { lapi.copies().len() == 20 }).await;
    writer.batch_execute("COMMIT").await.expect("its end");
    wait_copies(&lapi, &values(0, 40), 10).await;
    lapi.assert_civil();
}
