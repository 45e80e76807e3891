//! Live events under load: writers, a reader that breaks off a hundred times, replicas that are killed.
use crate::support::events::{Event, Events, Next, place};
use crate::support::garrison::Server;
use crate::support::http::try_send;
use crate::support::machine::{Machine, address, signal, undecided};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const WRITERS: usize = 8;
const BREAKS: usize = 100;
const KILLS: usize = 4;
const LENGTH: Duration = Duration::from_secs(15);

type Doors = Arc<Mutex<Vec<SocketAddr>>>;

/// Pushes until the end; what has no answer is pushed again.
async fn write(n: usize, machine: Machine, doors: Doors, end: Instant) -> usize {
    let (mut turn, mut pushed) = (n, 0);
    while Instant::now() < end {
        let items: Vec<Value> = (0..rand::random_range(1..=12_u32))
            .map(|i| match i % 2 {
                0 => signal(&address(rand::random())),
                _ => undecided(&address(rand::random())),
            })
            .collect();
        let body = serde_json::to_vec(&items).expect("JSON");
        loop {
            turn += 1;
            let at = doors.lock().unwrap()[turn % 2];
            let call = machine
                .call(at, "POST", "/v3/signals")
                .header("content-type", "application/json");
            match try_send(call.timeout(wait::secs(5)).body(body.clone())).await {
                Ok(answer) if answer.status == 200 => break,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
            assert!(Instant::now() < end + wait::secs(60), "no answer for a minute");
        }
        pushed += items.len();
        tokio::time::sleep(Duration::from_millis(rand::random_range(20..120))).await;
    }
    pushed
}

/// Reads, breaking off again and again wherever it is, until nothing new comes after the end.
async fn read(
    world_api: crate::support::http::Api,
    doors: Doors,
    begin: String,
    expected: Arc<AtomicUsize>,
) -> (Vec<Event>, usize) {
    let (mut last, mut all, mut breaks, mut turn) = (begin, Vec::<Event>::new(), 0, 0);
    let begun = Instant::now();
    loop {
        assert!(
            begun.elapsed() < wait::secs(300),
            "the stream does not come to rest: {} events",
            all.len()
        );
        turn += 1;
        let at = doors.lock().unwrap()[turn % 2];
        let Ok(mut events) = Events::try_open(&world_api.at(at), "", Some(&last)).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let expected = expected.load(Ordering::SeqCst);
        let at_rest = expected > 0 && breaks >= BREAKS;
        let until = Instant::now() + Duration::from_millis(rand::random_range(1..250));
        loop {
            // At last it reads until all is told, and a moment longer.
            let left = match at_rest {
                true => wait::secs(1),
                false => until.saturating_duration_since(Instant::now()),
            };
            match events.next(left).await {
                Next::Event(event) => all.push(event),
                Next::Silence if at_rest && all.len() >= expected => return (all, breaks),
                Next::Ended | Next::Silence => break,
            }
        }
        last = events.last.clone().expect("a place");
        breaks += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_comes_once_to_a_reader_that_breaks_off_while_replicas_die() {
    let mut world = World::with(2, &[]).await;
    let other = world.tenant("umbrella").await;
    let stranger = world.machine("umbrella").await;
    let mut machines = Vec::new();
    for _ in 0..4 {
        machines.push(world.machine("default").await);
    }
    let doors: Doors = Arc::new(Mutex::new(world.servers.iter().map(|s| s.address).collect()));
    let begin = Events::open(&world.api(), "", None).await.last.expect("a place");
    let end = Instant::now() + LENGTH;
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..WRITERS {
        writers.spawn(write(n, machines[n % 4].clone(), doors.clone(), end));
    }
    let theirs = tokio::spawn(write(0, stranger, doors.clone(), end));
    let total = Arc::new(AtomicUsize::new(0));
    let reader = tokio::spawn(read(world.api(), doors.clone(), begin, total.clone()));
    for n in 0..KILLS {
        tokio::time::sleep(LENGTH / (u32::try_from(KILLS).expect("few") + 1)).await;
        world.servers[n % 2].kill9();
        world.servers[n % 2] = Server::spawn(&world.cli, &["serve"]).await;
        doors.lock().unwrap()[n % 2] = world.servers[n % 2].address;
    }
    let mut pushed = 0;
    while let Some(n) = writers.join_next().await {
        pushed += n.expect("a writer");
    }
    theirs.await.expect("a writer");
    let api = world.server().api(Some(world.admin_token()));
    // What a killed replica was delivering waits for the end of its lease.
    wait::until_true("everything eligible is forwarded", wait::secs(120), || async {
        let left = api
            .get("/api/alerts?filtered=false&forwardedToCapi=false&limit=1")
            .await;
        left.json() == json!([])
    })
    .await;
    let stored = world.alerts(&api, "").await;
    let mut expected = BTreeMap::new();
    for alert in &stored {
        let id = alert["id"].as_i64().expect("an id");
        expected.insert(("alert", id), 1);
        expected.insert(("filter", id), 1);
        if alert["filtered"] == false {
            expected.insert(("delivery", id), 1);
        }
    }
    total.store(expected.len(), Ordering::SeqCst);
    let (events, breaks) = reader.await.expect("the reader");

    let ids: BTreeSet<&str> = events.iter().map(|e| e.id.as_str()).collect();
    assert!(
        events.windows(2).all(|w| place(&w[0].id) < place(&w[1].id)),
        "one order, nothing twice"
    );
    assert!(
        events.iter().all(|e| e.name != "reset"),
        "nothing was said to be missing"
    );
    let mut told: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for event in &events {
        let id = event.data["alertId"]
            .as_i64()
            .or_else(|| event.data["id"].as_i64());
        if let Some(id) = id {
            *told.entry((&event.name, id)).or_default() += 1;
        }
    }
    println!(
        "{pushed} alerts by {WRITERS} writers, {} events, {} different, {breaks} breaks, {KILLS} kills",
        events.len(),
        ids.len()
    );
    assert_eq!(stored.len(), pushed);
    let wrong: Vec<_> = expected
        .iter()
        .filter(|(key, n)| told.get(*key) != Some(n))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} are missing or doubled: {:?}",
        wrong.len(),
        &wrong[..wrong.len().min(10)]
    );
    assert_eq!(
        told.len(),
        expected.len(),
        "and nothing else, of umbrella's least of all"
    );
    assert!(breaks >= BREAKS, "{breaks} breaks");
    assert!(pushed > 300, "{pushed} are too few to mean anything");
    assert!(!world.alerts(&world.api_of(&other), "").await.is_empty());
}
