//! A rolling upgrade under load: the schema goes ahead of the replicas, then they are replaced one by one. No request fails.
use super::book::{Book, Fate};
use crate::support::garrison::Server;
use crate::support::http::try_send;
use crate::support::machine::Machine;
use crate::support::world::World;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the next release's migration may do: it only adds.
const NEXT: &str = "
    SET lock_timeout = '1s';
    ALTER TABLE alert ADD COLUMN of_the_next_release text;
    ALTER TABLE tenant ADD COLUMN of_the_next_release integer NOT NULL DEFAULT 7;
    CREATE TABLE next_thing (tenant_id integer NOT NULL REFERENCES tenant, id bigint NOT NULL, PRIMARY KEY (tenant_id, id));
    SELECT wall_off('next_thing');
    INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
    SELECT max(version) + 1, 'next', '2027-01-01T00:00:00Z', '0' FROM refinery_schema_history;";

/// A client behind a proxy that tries another replica where it gets no connection, and nothing else.
async fn sender(
    n: usize,
    machine: Machine,
    doors: Arc<Mutex<Vec<SocketAddr>>>,
    book: Arc<Mutex<Book>>,
    stop: Arc<AtomicBool>,
) -> (usize, Vec<String>) {
    let (mut turn, mut sent, mut failed) = (n, 0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let items = book.lock().unwrap().batch(0, rand::random_range(1..=20));
        let body = serde_json::to_vec(&items).expect("JSON");
        sent += 1;
        for tries in 0.. {
            turn += 1;
            let door = {
                let doors = doors.lock().unwrap();
                doors[turn % doors.len()]
            };
            let call = machine.call(door, "POST", "/v3/signals");
            let call = call
                .header("content-type", "application/json")
                .header("connection", "close");
            match try_send(call.timeout(Duration::from_secs(5)).body(body.clone())).await {
                Ok(answer) if matches!(answer.status, 200 | 422) => {
                    book.lock()
                        .unwrap()
                        .answered(&items, answer.status, &answer.json());
                    break;
                }
                Err(e) if e.is_connect() && tries < 50 => tokio::time::sleep(Duration::from_millis(10)).await,
                Ok(answer) => {
                    failed.push(format!("{} {}", answer.status, answer.text()));
                    break;
                }
                Err(e) => {
                    failed.push(format!("{e:?}"));
                    break;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(10..40))).await;
    }
    (sent, failed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_upgrade_under_load_fails_no_request() {
    let mut world = World::with(2, &[]).await;
    let machine = world.machine("default").await;
    let doors: Arc<Mutex<Vec<SocketAddr>>> =
        Arc::new(Mutex::new(world.servers.iter().map(|s| s.address).collect()));
    let (book, stop) = (
        Arc::new(Mutex::new(Book::default())),
        Arc::new(AtomicBool::new(false)),
    );
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..4 {
        senders.spawn(sender(
            n,
            machine.clone(),
            doors.clone(),
            book.clone(),
            stop.clone(),
        ));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

    // this very release, replaced one by one; migrations find nothing to do
    for n in 0..world.servers.len() {
        world.cli.run(&["migrate"]).await.expect_ok();
        let fresh = Server::spawn(&world.cli, &["serve"]).await;
        doors.lock().unwrap()[n] = fresh.address;
        let mut old = std::mem::replace(&mut world.servers[n], fresh);
        old.terminate();
        assert_eq!(old.ended(Duration::from_secs(30)).await, Some(0));
    }

    // the next release's schema, while somebody reads a table for a while, as a dump does
    let client = world.db.client().await;
    let reader = world.db.client().await;
    let reading = tokio::spawn(async move {
        let sql = "BEGIN; SELECT count(*) FROM alert; SELECT pg_sleep(2); COMMIT";
        reader.batch_execute(sql).await.expect(sql);
    });
    let mut tries = 0;
    while let Err(e) = client.batch_execute(&format!("BEGIN; {NEXT} COMMIT")).await {
        tries += 1;
        let said = e
            .as_db_error()
            .map_or_else(|| e.to_string(), |e| e.message().to_owned());
        assert!(said.contains("lock timeout") && tries < 30, "{said}");
        client.batch_execute("ROLLBACK").await.expect("ROLLBACK");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    reading.await.expect("the reader");
    for _ in 0..5 {
        for server in &world.servers {
            server.api(None).get("/readyz").await.expect(200);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // a new start of this release would be a rollback, and is refused; so are its migrations
    for command in ["serve", "migrate", "worker"] {
        let refused = world.cli.run(&[command]).await.expect_refused();
        assert!(
            refused.stderr.contains("newer release"),
            "{command}: {}",
            refused.stderr
        );
    }

    stop.store(true, Ordering::Relaxed);
    let (mut sent, mut failed) = (0, Vec::new());
    while let Some(done) = senders.join_next().await {
        let (n, wrong) = done.expect("a sender");
        sent += n;
        failed.extend(wrong);
    }
    assert!(
        failed.is_empty(),
        "{} of {sent} failed: {:?}",
        failed.len(),
        &failed[..failed.len().min(5)]
    );
    let book = Arc::try_unwrap(book).ok().expect("done").into_inner().unwrap();
    let rows = world.alerts(&world.api(), "").await;
    let have: std::collections::BTreeSet<&str> = rows.iter().map(super::book::name).collect();
    assert_eq!(have.len(), rows.len(), "nothing is there twice");
    assert_eq!(rows.len(), book.count(Fate::Acknowledged));
    println!("upgrade: {sent} pushes, none failed; the migration waited {tries} times for a lock");
}
