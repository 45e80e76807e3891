//! CAPI and Postgres misbehave; the engine gets its answer, nothing is lost or doubled, all resumes by itself.
use crate::support::capi::Seen;
use crate::support::capi_rule::{Act, Rule};
use crate::support::cluster::Cluster;
use crate::support::http::send;
use crate::support::machine::{address, signal, uuid_of};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longer than a push takes where a dozen services share two cores; one that hangs would keep it longer.
const SLOW: Duration = Duration::from_secs(4);

/// Pushes through one fault, heals it, and counts.
async fn through(name: &str, rules: Vec<Rule>) {
    let mut world = World::start().await;
    let machine = world.machine("default").await;
    let closed = rules.is_empty();
    if closed {
        world.capi.close();
    }
    world.capi.rules(rules);
    let mut sent: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..5u32 {
        let items: Vec<Value> = (0..12).map(|n| signal(&address(round * 100 + n))).collect();
        let answer = machine.push_ok(world.server(), &items).await;
        assert!(answer.took < SLOW, "{name}: the engine waits {:?}", answer.took);
        sent.extend(items.into_iter().map(|i| (uuid_of(&i), i)));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if !closed {
        wait::until_true("the fault is met", wait::secs(30), || async {
            !world.capi.at("/signals").is_empty() || !world.capi.at("/login").is_empty()
        })
        .await;
    }
    world.capi.rules(Vec::new());
    if closed {
        world.capi.open();
    }
    let done = world
        .wait_alerts(&world.api(), "forwardedToCapi=true", sent.len(), 75)
        .await;
    assert_eq!(
        done.len(),
        world.alerts(&world.api(), "").await.len(),
        "{name}: nothing doubled"
    );
    let delivered = world.capi.delivered();
    assert_eq!(
        delivered.keys().collect::<Vec<_>>(),
        sent.keys().collect::<Vec<_>>(),
        "{name}: nothing lost"
    );
    // A 2xx that CAPI gave whole is the only thing that ends a delivery; after it, none again.
    let whole = |seen: &Seen| seen.is_signals() && seen.accepted && seen.status.is_some();
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    for seen in world.capi.seen() {
        for item in seen.items().iter().filter(|_| seen.is_signals()) {
            let n = ended.entry(uuid_of(item)).or_default();
            assert_eq!(*n, 0, "{name}: delivered again after it was taken");
            *n += usize::from(whole(&seen));
        }
    }
    assert!(ended.values().all(|n| *n == 1), "{name}: {ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capi_faults_cost_the_engine_nothing_and_delivery_resumes() {
    let on = "/signals";
    let retry = |status| Rule::status(on, status).header("retry-after", "1");
    let both = |status| vec![Rule::status(on, status), Rule::status("/watchers/login", status)];
    tokio::join!(
        through("refuse", vec![]),
        through("hang", vec![Rule::on(on, Act::Hang)]),
        through("401", vec![Rule::status(on, 401)]),
        through("403", vec![Rule::status(on, 403)]),
    );
    tokio::join!(
        through("429", vec![retry(429)]),
        through("500", vec![Rule::status(on, 500)]),
        through("503 everywhere", both(503)),
        through("slow", vec![Rule::slow(on, Duration::from_secs(6))]),
    );
    tokio::join!(
        through("garbage on 500", vec![Rule::garbage(on, 500)]),
        through("cut off", vec![Rule::on(on, Act::Truncate)]),
        through("reset", vec![Rule::on(on, Act::Reset)]),
        through("garbage login", vec![Rule::garbage("/watchers/login", 200)]),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_obeyed() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    world.capi.rules(vec![
        Rule::status("/signals", 429).header("retry-after", "4").times(1),
    ]);
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 1, 30)
        .await;
    let tries = world.capi.at("/signals");
    assert_eq!(tries.len(), 2, "one refused, one accepted");
    let gap = tries[1].at.duration_since(tries[0].at);
    assert!(gap >= Duration::from_millis(3900), "tried again after {gap:?}");
}

/// One signal CAPI never takes must not hold up the others of its machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisonous_signal_is_isolated_by_halving() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    world.capi.poison("poison");
    let mut items: Vec<Value> = (1..=20).map(|n| signal(&address(n))).collect();
    items[13]["message"] = json!("poison");
    machine.push_ok(world.server(), &items).await;
    let done = world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 19, 60)
        .await;
    assert!(done.iter().all(|a| a["message"] != "poison"));
    assert!(
        world.capi.delivered().values().all(|n| *n == 1),
        "the others once each"
    );
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 20, 30)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_backends_are_a_503_at_worst() {
    let world = World::with(2, &[]).await;
    let machine = world.machine("default").await;
    let deadline = Instant::now() + Duration::from_secs(4);
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..4u32 {
        let (machine, at) = (machine.clone(), world.servers[(sender % 2) as usize].address);
        senders.spawn(async move {
            let mut sent = Vec::new();
            let mut refused = 0;
            while Instant::now() < deadline {
                let items: Vec<Value> = (0..5).map(|_| signal(&address(rand::random()))).collect();
                loop {
                    let answer = machine.push_to(at, "/v3/signals", &items).await;
                    match answer.status {
                        200 => break,
                        503 => refused += 1,
                        other => panic!("{other} {}", answer.text()),
                    }
                    assert!(
                        answer.json()["message"].is_string(),
                        "503 with a message: {}",
                        answer.text()
                    );
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                sent.extend(items.iter().map(uuid_of));
            }
            (sent, refused)
        });
    }
    let mut ended = 0;
    while Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
        ended += world.db.terminate_backends().await;
        let answer = world.api().get("/api/alerts?limit=1").await;
        assert!(
            matches!(answer.status, 200 | 503),
            "a read: {} {}",
            answer.status,
            answer.text()
        );
    }
    let mut sent = Vec::new();
    let mut refused = 0;
    while let Some(done) = senders.join_next().await {
        let (uuids, n) = done.expect("a sender");
        sent.extend(uuids);
        refused += n;
    }
    assert!(ended > 5, "backends were ended: {ended}");
    println!(
        "terminated backends: {ended} ended, {} alerts acknowledged, {refused} times 503",
        sent.len()
    );
    wait::until_true("ready again", wait::secs(10), || async {
        world.api().get("/readyz").await.status == 200
    })
    .await;
    let stored = world
        .wait_alerts(&world.api(), "forwardedToCapi=true", sent.len(), 60)
        .await;
    let mut uuids: Vec<String> = stored.iter().map(uuid_of).collect();
    uuids.sort();
    sent.sort();
    assert_eq!(uuids, sent, "every acknowledged alert, once");
    assert_eq!(world.capi.delivered().len(), sent.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_gone_is_503_and_back_by_itself() {
    let cluster = Cluster::start().await;
    let db = cluster.database().await;
    let world = World::on(db, 1).await;
    let machine = world.machine("default").await;
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    world.api().get("/readyz").await.expect(200);
    cluster.kill9().await;
    wait::until_true("not ready", wait::secs(10), || async {
        world.api().get("/readyz").await.status == 503
    })
    .await;
    world.api().get("/healthz").await.expect(200);
    let items = [signal("192.0.2.2")];
    for _ in 0..3 {
        let answer = machine.push(world.server(), &items).await.expect(503);
        assert!(
            answer.took < wait::secs(5),
            "the engine gives up after 5 s: {:?}",
            answer.took
        );
        assert!(answer.json()["message"].is_string(), "{}", answer.text());
    }
    let call = world.api().request("GET", "/api/alerts");
    assert_eq!(send(call).await.status, 503, "a read");
    cluster.launch().await;
    wait::until_true("ready again", wait::secs(20), || async {
        world.api().get("/readyz").await.status == 200
    })
    .await;
    machine.push_ok(world.server(), &items).await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 2, 40)
        .await;
}
