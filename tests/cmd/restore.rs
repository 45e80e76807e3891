//! A dump restored into another cluster, whose transaction numbers began elsewhere: waiting alerts are still delivered.
use crate::support::cluster::Cluster;
use crate::support::events::Events;
use crate::support::garrison::Server;
use crate::support::machine::{address, signal, uuid_of};
use crate::support::postgres::{Database, connect};
use crate::support::world::World;
use crate::support::{env, wait};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn tool(name: &str) -> PathBuf {
    env("PG_BINDIR").map_or_else(|| name.into(), |dir| Path::new(&dir).join(name))
}

fn run(cmd: &mut Command) {
    let out = cmd.output().unwrap_or_else(|e| panic!("{cmd:?}: {e}"));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{cmd:?}: {said}");
}

async fn xid(db: &Database) -> i64 {
    let sql = "SELECT pg_current_xact_id()::text::bigint";
    db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// Uses up transaction numbers.
async fn age(db: &Database, numbers: usize) {
    let client = db.client().await;
    let sql = "DO $$ BEGIN FOR n IN 1..NUMBERS LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
    client
        .batch_execute(&sql.replace("NUMBERS", &numbers.to_string()))
        .await
        .unwrap();
}

/// Moves a world with alerts that wait from `from` to `to` and expects their delivery from there.
async fn moves(from: Database, to: &Cluster) {
    let mut world = World::on(from, 1).await;
    let machine = world.machine("default").await;
    let early = signal("192.0.2.1");
    machine
        .push_ok(world.server(), std::slice::from_ref(&early))
        .await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 1, 20)
        .await;
    let mut events = Events::open(&world.api(), "types=alert", Some("0")).await;
    let known = events.take(1).await[0].id.clone();
    drop(events);
    world.capi.close();
    let waiting: Vec<Value> = (0..7).map(|n| signal(&address(n))).collect();
    for part in waiting.chunks(3) {
        machine.push_ok(world.server(), part).await;
    }
    world.server().terminate();
    assert_eq!(world.servers[0].ended(wait::secs(25)).await, Some(0));

    let file = world.dir.join("dump.sql");
    run(Command::new(tool("pg_dump"))
        .arg("--dbname")
        .arg(&world.db.url)
        .arg("--file")
        .arg(&file));
    let db = to.database().await;
    db.client()
        .await
        .batch_execute("CREATE ROLE garrison_service NOLOGIN; CREATE ROLE garrison_platform NOLOGIN;")
        .await
        .expect("the roles are the cluster's, and not in the dump");
    run(Command::new(tool("psql"))
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "--dbname"])
        .arg(&db.url)
        .arg("--file")
        .arg(&file));
    let waits = "SELECT sum(cardinality(keys)) FROM outbox";
    let waits: i64 = db.client().await.query_one(waits, &[]).await.unwrap().get(0);
    assert_eq!(waits, 7, "the dump brought what waited");
    println!(
        "restored at {} what was written at {}",
        xid(&db).await,
        xid(&world.db).await
    );

    world.cli.set("GARRISON_DATABASE_URL", &db.url);
    world.capi.open();
    world.servers[0] = Server::spawn(&world.cli, &["serve"]).await;
    let api = world.api();
    world.wait_alerts(&api, "forwardedToCapi=true", 8, 30).await;
    // the machine's token still holds, and what it sends now goes the same way
    // a place in the old cluster's log says nothing here, and its reader is told
    let mut events = Events::open(&api, "types=alert", Some(&known)).await;
    let reset = &events.take(1).await[0];
    assert_eq!(
        (reset.name.as_str(), &reset.data["reason"]),
        ("reset", &Value::from("unknown"))
    );
    let late = signal("192.0.2.9");
    machine.push_ok(world.server(), std::slice::from_ref(&late)).await;
    world.wait_alerts(&api, "forwardedToCapi=true", 9, 30).await;
    let first = &events.take(1).await[0];
    assert_eq!(first.data["uuid"], uuid_of(&late), "and nothing of before");
    let delivered = world.capi.delivered();
    let sent: BTreeSet<String> = waiting.iter().chain([&early, &late]).map(uuid_of).collect();
    assert_eq!(delivered.keys().cloned().collect::<BTreeSet<_>>(), sent);
    assert!(delivered.values().all(|n| *n == 1), "once each: {delivered:?}");
    let empty: bool = db
        .client()
        .await
        .query_one("SELECT count(*) = 0 FROM outbox", &[])
        .await
        .unwrap()
        .get(0);
    assert!(empty, "nothing waits any more");
    drop(world);
    drop(db);
    connect(&to.url).await.expect("the other cluster still runs");
}

/// The old cluster's numbers are far ahead of the new one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_restored_into_a_younger_cluster_delivers_what_waited() {
    let (old, young) = tokio::join!(Cluster::start(), Cluster::start());
    let from = old.database().await;
    age(&from, 20_000).await;
    moves(from, &young).await;
}

/// The new cluster's numbers are far ahead of the old one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_restored_into_an_older_cluster_delivers_what_waited() {
    let (old, young) = tokio::join!(Cluster::start(), Cluster::start());
    let aged = old.database().await;
    age(&aged, 20_000).await;
    drop(aged);
    moves(young.database().await, &old).await;
}
