//! The accounting identity: replicas and Postgres are killed, CAPI fails half of the time, the books balance.
use super::book::{Book, Fate};
use crate::support::capi_rule::Rule;
use crate::support::cluster::Cluster;
use crate::support::garrison::{Cli, Server};
use crate::support::http::try_send;
use crate::support::machine::Machine;
use crate::support::world::World;
use crate::support::{env, wait};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SENDERS: usize = 8;

/// 25 s for every day (8 replicas and 2 postmasters killed); 60 s for the whole figure (20 and 5).
fn length() -> u64 {
    env("GARRISON_TEST_ACCOUNTING_SECONDS").map_or(25, |s| s.parse().expect("seconds"))
}

type Doors = Arc<Mutex<Vec<SocketAddr>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_and_everything_eligible_is_forwarded() {
    let seconds = length();
    let (kills, crashes) = (seconds / 3, (seconds / 12).max(1));
    let cluster = Cluster::start().await;
    let mut world = World::on(cluster.database().await, 2).await;
    let tenants = [world.tenant("acme").await, world.tenant("umbrella").await];
    // four machines, two senders each: their logins at a failing CAPI stay within its budget
    let mut machines = Vec::new();
    for n in 0..4 {
        machines.push(world.machine(&tenants[n % 2].name).await);
    }
    world.capi.strict();
    world.capi.rules(vec![Rule::half("")]);
    let doors: Doors = Arc::new(Mutex::new(world.servers.iter().map(|s| s.address).collect()));
    let book = Arc::new(Mutex::new(Book::default()));
    let end = Instant::now() + Duration::from_secs(seconds);

    let mut senders = tokio::task::JoinSet::new();
    for n in 0..SENDERS {
        let machine = machines[n % 4].clone();
        senders.spawn(sender(n, n % 2, machine, doors.clone(), book.clone(), end));
    }
    let servers = std::mem::take(&mut world.servers);
    let killer = tokio::spawn(kill_replicas(
        world.cli.clone(),
        servers,
        doors.clone(),
        kills,
        end,
    ));
    for n in 0..crashes {
        let left = end.saturating_duration_since(Instant::now());
        let rest = u32::try_from(crashes - n).expect("few");
        tokio::time::sleep(left / (rest + 1)).await;
        cluster.crash().await;
    }
    while let Some(done) = senders.join_next().await {
        done.expect("a sender");
    }
    world.servers = killer.await.expect("the killer");
    world.capi.rules(Vec::new());

    // quiet now: everything eligible goes out by itself
    let book = Arc::try_unwrap(book)
        .ok()
        .expect("the senders are done")
        .into_inner()
        .unwrap();
    let quiet = Instant::now();
    for tenant in &tenants {
        let api = world.api_of(tenant);
        wait::until_true("everything eligible is forwarded", wait::secs(120), || async {
            let left = api
                .get("/api/alerts?filtered=false&forwardedToCapi=false&limit=1")
                .await;
            left.status == 200 && left.json() == json!([])
        })
        .await;
    }
    let drained = quiet.elapsed();
    let mut wrong = book.strange.clone();
    let mut stored = 0;
    for (n, tenant) in tenants.iter().enumerate() {
        let rows = world.alerts(&world.api_of(tenant), "").await;
        stored += rows.len();
        wrong.extend(book.audit_stored(n, &rows));
    }
    wrong.extend(book.audit_delivered(&world.capi));
    report(&book, &world, seconds, kills, crashes, stored, drained);
    assert!(
        wrong.is_empty(),
        "{} things are wrong, such as:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
    assert!(
        book.count(Fate::Acknowledged) > 500,
        "too little was sent to mean anything"
    );
    assert!(book.unknown > 0, "no kill was felt: the drill proves nothing");
    assert_eq!(book.count(Fate::Sent), 0, "every batch got its answer in the end");
    let logins = world.capi.at("/watchers/login").len();
    assert!(
        logins <= 20,
        "CAPI bans an address for more than 20 logins in 50 minutes: {logins}"
    );
}

fn report(
    book: &Book,
    world: &World,
    seconds: u64,
    kills: u64,
    crashes: u64,
    stored: usize,
    drained: Duration,
) {
    let delivered = world.capi.delivered_items().len();
    let tries = world.capi.at("/signals").len();
    println!(
        "accounting over {seconds} s: {kills} replicas and {crashes} postmasters killed; {} batches, {} alerts, \
         {} acknowledged, {} rejected, {} answers unknown and repeated, {} batches repeated on purpose; {stored} stored; \
         CAPI was tried {tries} times and took {delivered} signals ({} different); drained in {drained:.1?}",
        book.batches,
        book.entries.len(),
        book.count(Fate::Acknowledged),
        book.count(Fate::Rejected),
        book.unknown,
        book.repeats,
        world.capi.delivered().len(),
    );
}

/// Sends until the end; what has no answer is sent again, the same body, until it has one.
async fn sender(
    n: usize,
    tenant: usize,
    machine: Machine,
    doors: Doors,
    book: Arc<Mutex<Book>>,
    end: Instant,
) {
    let give_up = end + Duration::from_secs(60);
    let mut turn = n;
    while Instant::now() < end {
        let items = book.lock().unwrap().batch(tenant, rand::random_range(1..=20));
        let (status, reply) = deliver(&machine, &doors, &book, &items, &mut turn, give_up).await;
        book.lock().unwrap().answered(&items, status, &reply);
        if rand::random_range(0..10) == 0 {
            // an engine, or a proxy before us, that sends the same batch once more
            book.lock().unwrap().repeats += 1;
            let (status, reply) = deliver(&machine, &doors, &book, &items, &mut turn, give_up).await;
            book.lock().unwrap().answered(&items, status, &reply);
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(100..300))).await;
    }
}

async fn deliver(
    machine: &Machine,
    doors: &Doors,
    book: &Arc<Mutex<Book>>,
    items: &[Value],
    turn: &mut usize,
    give_up: Instant,
) -> (u16, Value) {
    let body = serde_json::to_vec(items).expect("JSON");
    loop {
        assert!(Instant::now() < give_up, "no answer for a minute after the storm");
        *turn += 1;
        let at = {
            let doors = doors.lock().unwrap();
            doors[*turn % doors.len()]
        };
        let call = machine
            .call(at, "POST", "/v3/signals")
            .header("content-type", "application/json");
        // an engine's patience
        match try_send(call.timeout(Duration::from_secs(5)).body(body.clone())).await {
            Ok(answer) if matches!(answer.status, 200 | 422) => return (answer.status, answer.json()),
            Ok(answer) if answer.status < 500 => {
                let said = format!("{} {}", answer.status, answer.text());
                book.lock().unwrap().strange.push(said);
            }
            _ => {}
        }
        book.lock().unwrap().unknown += 1;
        tokio::time::sleep(Duration::from_millis(rand::random_range(50..250))).await;
    }
}

/// Kills one replica after the other, `kills` times until `end`, and starts another in its place.
async fn kill_replicas(
    cli: Cli,
    mut servers: Vec<Server>,
    doors: Doors,
    kills: u64,
    end: Instant,
) -> Vec<Server> {
    for n in 0..kills {
        let left = end.saturating_duration_since(Instant::now());
        let rest = u32::try_from(kills - n).expect("few");
        let pause = (left / (rest + 1)).mul_f64(rand::random_range(0.5..1.2));
        tokio::time::sleep(pause).await;
        let which = usize::try_from(n).expect("few") % servers.len();
        servers[which].kill9();
        servers[which] = start(&cli).await;
        doors.lock().unwrap()[which] = servers[which].address;
    }
    servers
}

/// A start may meet a Postgres that is just dead: then once more, as Kubernetes would.
async fn start(cli: &Cli) -> Server {
    let start = Instant::now();
    loop {
        match Server::try_spawn(cli, &["serve"], wait::secs(20)).await {
            Ok(server) => return server,
            Err(why) => assert!(start.elapsed() < wait::secs(60), "{why}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
