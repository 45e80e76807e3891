//! Two real Postgres: the primary is killed under load and the standby takes over; a base backup is brought back.
use super::book::{Book, Fate, Kind};
use crate::support::cluster::Cluster;
use crate::support::http::try_send;
use crate::support::machine::Machine;
use crate::support::postgres::{connect, with_database};
use crate::support::world::World;
use crate::support::{env, wait};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const STORED: [Kind; 3] = [Kind::Passing, Kind::Nameless, Kind::Filtered];

/// How long is pushed before and after what happens: 4 s for every day.
fn half() -> Duration {
    Duration::from_secs(env("GARRISON_TEST_FAILOVER_SECONDS").map_or(4, |s| s.parse().expect("seconds")))
}

/// Senders that push until told to stop, each batch until it has an answer.
struct Load {
    stop: Arc<AtomicBool>,
    book: Arc<Mutex<Book>>,
    senders: tokio::task::JoinSet<()>,
}

impl Load {
    async fn start(world: &World, machines: &[Machine]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let book = Arc::new(Mutex::new(Book::default()));
        let doors: Vec<SocketAddr> = world.servers.iter().map(|s| s.address).collect();
        let mut senders = tokio::task::JoinSet::new();
        for n in 0..4 {
            let machine = machines[n % machines.len()].clone();
            let (stop, book, doors) = (stop.clone(), book.clone(), doors.clone());
            senders.spawn(async move {
                let mut turn = n;
                while !stop.load(Ordering::Relaxed) {
                    let items = book.lock().unwrap().batch(0, rand::random_range(1..=20));
                    let (status, reply) = deliver(&machine, &doors, &book, &items, &mut turn).await;
                    book.lock().unwrap().answered(&items, status, &reply);
                    tokio::time::sleep(Duration::from_millis(rand::random_range(10..60))).await;
                }
            });
        }
        Self { stop, book, senders }
    }

    fn acknowledged(&self) -> usize {
        self.book.lock().unwrap().count(Fate::Acknowledged)
    }

    async fn end(mut self) -> Book {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(done) = self.senders.join_next().await {
            done.expect("a sender");
        }
        Arc::try_unwrap(self.book)
            .ok()
            .expect("the senders are done")
            .into_inner()
            .unwrap()
    }
}

async fn deliver(
    machine: &Machine,
    doors: &[SocketAddr],
    book: &Mutex<Book>,
    items: &[Value],
    turn: &mut usize,
) -> (u16, Value) {
    let body = serde_json::to_vec(items).expect("JSON");
    let give_up = Instant::now() + wait::secs(90);
    loop {
        assert!(Instant::now() < give_up, "no answer");
        *turn += 1;
        let call = machine.call(doors[*turn % doors.len()], "POST", "/v3/signals");
        let call = call
            .header("content-type", "application/json")
            .timeout(Duration::from_secs(5));
        match try_send(call.body(body.clone())).await {
            Ok(answer) if matches!(answer.status, 200 | 422) => return (answer.status, answer.json()),
            Ok(answer) if answer.status < 500 => {
                let said = format!("{} {}", answer.status, answer.text());
                book.lock().unwrap().strange.push(said);
            }
            Ok(answer) if answer.status != 503 => {
                let said = format!("not 503 but {} {}", answer.status, answer.text());
                book.lock().unwrap().strange.push(said);
            }
            _ => {}
        }
        book.lock().unwrap().unknown += 1;
        tokio::time::sleep(Duration::from_millis(rand::random_range(50..250))).await;
    }
}

/// Waits until all that may leave has left, and asserts that the books balance.
async fn balance(world: &World, book: &Book) -> usize {
    let api = world.api();
    wait::until_true("everything eligible is forwarded", wait::secs(120), || async {
        let left = api
            .get("/api/alerts?filtered=false&forwardedToCapi=false&limit=1")
            .await;
        left.status == 200 && left.json() == json!([])
    })
    .await;
    let rows = world.alerts(&api, "").await;
    let mut wrong = book.strange.clone();
    wrong.extend(book.audit_stored(0, &rows));
    wrong.extend(book.audit_delivered(&world.capi));
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    let counted = api.get("/api/stats?period=all").await.expect(200).json();
    let total = counted["total"]
        .as_u64()
        .or_else(|| counted["totalAlerts"].as_u64());
    assert_eq!(total, Some(rows.len() as u64), "statistics add up: {counted}");
    rows.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_with_a_synchronous_standby_loses_nothing_that_was_acknowledged() {
    let primary = Cluster::start().await;
    let mut db = primary.database().await;
    let standby = primary.standby().await;
    primary.wait_for_standbys().await;
    db.url = format!(
        "postgres://postgres@{},{}/{}",
        primary.host(),
        standby.host(),
        db.name
    );
    let read = with_database(&standby.url, &db.name);
    let world = World::on_with(db, 2, &[("GARRISON_DATABASE_READ_URL", &read)]).await;
    world.capi.strict();
    let machines = [world.machine("default").await, world.machine("default").await];
    let load = Load::start(&world, &machines).await;
    tokio::time::sleep(half()).await;
    let before = load.acknowledged();
    primary.kill9().await;
    let killed = Instant::now();
    // whoever decides on failovers needs longer than a push waits
    tokio::time::sleep(Duration::from_secs(6)).await;
    standby.promote().await;
    let (promoted, without) = (Instant::now(), killed.elapsed());
    let dark = load.acknowledged();
    wait::until_true("pushes are acknowledged again", wait::secs(60), || async {
        load.acknowledged() > dark
    })
    .await;
    let back = promoted.elapsed();
    tokio::time::sleep(half()).await;
    let book = load.end().await;
    assert!(
        before > 50 && book.unknown > 0,
        "{before} before, {} failed",
        book.unknown
    );
    assert!(
        back < Duration::from_secs(15),
        "pushes took {back:?} to come back"
    );
    let stored = balance(&world, &book).await;
    for server in &world.servers {
        wait::until_true("ready again", wait::secs(15), || async {
            server.api(None).get("/readyz").await.status == 200
        })
        .await;
    }
    println!(
        "failover: {before} alerts acknowledged before the kill, {} after all, {stored} stored, 0 lost; {} answers unknown \
         and repeated; dark for {:.1?}, of which {back:.1?} after the promotion",
        book.count(Fate::Acknowledged),
        book.unknown,
        without + back,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_backup_made_under_load_has_everything_that_was_acknowledged_before_it() {
    let primary = Cluster::start().await;
    let db = primary.database().await;
    let name = db.name.clone();
    let world = World::on(db, 2).await;
    world.capi.strict();
    let machines = [world.machine("default").await, world.machine("default").await];
    let load = Load::start(&world, &machines).await;
    tokio::time::sleep(half()).await;
    let until_then: Vec<String> = {
        let book = load.book.lock().unwrap();
        book.expected(0, &STORED).into_iter().map(str::to_owned).collect()
    };
    let begun = Instant::now();
    let backup = primary.copy(&[]);
    let took = begun.elapsed();
    tokio::time::sleep(half() / 2).await;
    let book = load.end().await;
    balance(&world, &book).await;

    // the old cluster is gone; the backup is started, and the service on it, with the key of before
    primary.kill9().await;
    backup.launch().await;
    let mut cli = world.cli.clone();
    cli.set("GARRISON_DATABASE_URL", with_database(&backup.url, &name));
    let server = crate::support::garrison::Server::spawn(&cli, &["serve"]).await;
    let mut restored = world;
    restored.servers = vec![server];
    let api = restored.api();
    let rows = restored.alerts(&api, "").await;
    let have: std::collections::BTreeSet<&str> = rows.iter().map(super::book::name).collect();
    let lost: Vec<&String> = until_then.iter().filter(|n| !have.contains(n.as_str())).collect();
    assert!(
        lost.is_empty(),
        "{} of {} are missing: {lost:?}",
        lost.len(),
        until_then.len()
    );
    assert_eq!(have.len(), rows.len(), "nothing is there twice");
    let foreign = rows
        .iter()
        .filter(|r| !book.entries.contains_key(super::book::name(r)))
        .count();
    assert_eq!(foreign, 0, "nothing comes from nowhere");
    // what is counted is what is there, and what waited in the backup leaves once more
    let counted = api.get("/api/stats?period=all").await.expect(200).json();
    let total = counted["total"]
        .as_u64()
        .or_else(|| counted["totalAlerts"].as_u64());
    assert_eq!(total, Some(rows.len() as u64), "{counted}");
    wait::until_true("what had not left leaves", wait::secs(60), || async {
        let left = api
            .get("/api/alerts?filtered=false&forwardedToCapi=false&limit=1")
            .await;
        left.status == 200 && left.json() == json!([])
    })
    .await;
    let client = connect(&with_database(&backup.url, &name))
        .await
        .expect("connect");
    let sql = "SELECT count(*) FROM alert a WHERE NOT EXISTS (SELECT 1 FROM signal_batch b WHERE b.tenant_id = a.tenant_id)";
    assert_eq!(client.query_one(sql, &[]).await.expect(sql).get::<_, i64>(0), 0);
    println!(
        "restore: base backup in {took:.1?} under load; {} alerts acknowledged before it, {} in it, 0 lost",
        until_then.len(),
        rows.len()
    );
}
