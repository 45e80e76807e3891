//! A request that is cancelled, at whatever point it waits, leaves nothing behind on its connection.
use crate::support::postgres::Database;
use futures_util::future::join_all;
use garrison::db::{Db, DbConfig, DbError, Tenant};
use rand::RngExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_postgres::{Client, SimpleQueryMessage};

const TENANTS: i32 = 20;
const TASKS: usize = 8;
const EACH: usize = 250;

/// What the last user of a connection left on it, if anything.
async fn left_behind(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    // One simple statement: its transaction begins with it, unless an older one is still open.
    let sql = "SELECT coalesce(current_setting('app.tenant', true), ''), current_user = session_user, now() = statement_timestamp(), \
               current_setting('statement_timeout')";
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            let found: Vec<&str> = (0..4).map(|n| row.get(n).unwrap_or("null")).collect();
            return Ok((found != ["", "t", "t", "0"]).then(|| format!("{found:?}")));
        }
    }
    Ok(Some("no answer".into()))
}

fn pool(db: &Database, size: usize) -> Db {
    let config = DbConfig {
        url: db.url.clone(),
        pool_size: size,
        ca_file: None,
        statement_cache: true,
    };
    Db::new(&config).expect("a pool")
}

async fn fill(db: &Database) {
    let sql = "INSERT INTO tenant (name, dedupe_key) SELECT 'canary ' || t, decode(repeat('00', 32), 'hex') FROM generate_series(1, 20) t;
               INSERT INTO filter_set (tenant_id) SELECT id FROM tenant";
    db.client().await.batch_execute(sql).await.expect("tenants");
}

/// What the transactions of one test saw.
#[derive(Default)]
struct Seen {
    wrong: std::sync::Mutex<Vec<String>>,
    committed: [AtomicUsize; TENANTS as usize],
    cancelled: AtomicUsize,
}

impl Seen {
    fn wrong(&self, what: String) {
        self.wrong.lock().expect("a lock").push(what);
    }
}

/// What a request does, with a point to be cancelled at after every step.
async fn request(db: &Db, tenant: i32, platform: bool, seen: &Seen) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    if let Some(left) = left_behind(&connection).await? {
        seen.wrong(format!("checked out with {left}"));
    }
    let tx = db.tenant(&mut connection, Tenant::proven(tenant)).await?;
    let rows = tx.query("SELECT tenant_id FROM filter_set", &[]).await?;
    let all: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    if all != [tenant] {
        seen.wrong(format!("tenant {tenant} saw the rows of {all:?}"));
    }
    tx.execute("UPDATE filter_set SET version = version + 1", &[])
        .await?;
    if platform {
        tx.platform("SELECT count(*) FROM tenant", &[]).await?;
        if tx
            .execute("UPDATE filter_set SET updated_at = now()", &[])
            .await?
            != 1
        {
            seen.wrong("the role of the platform stayed".into());
        }
    }
    tx.query("SELECT pg_sleep(0.0005)", &[]).await?;
    tx.commit().await?;
    let n = usize::try_from(tenant - 1).expect("a tenant");
    seen.committed[n].fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_request_leaves_its_connection_clean() {
    let database = Database::migrated().await;
    fill(&database).await;
    let (db, seen) = (pool(&database, 2), Seen::default());
    let worker = async |_| {
        for n in 0..EACH {
            let (tenant, micros) = {
                let mut rng = rand::rng();
                (rng.random_range(1..=TENANTS), rng.random_range(0..6_000))
            };
            let work = request(&db, tenant, n % 4 == 0, &seen);
            // Every third one is left to finish.
            let limit = if n % 3 == 0 {
                Duration::from_secs(30)
            } else {
                Duration::from_micros(micros)
            };
            match tokio::time::timeout(limit, work).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => seen.wrong(format!("failed: {e}")),
                Err(_) => drop(seen.cancelled.fetch_add(1, Ordering::Relaxed)),
            }
        }
    };
    join_all((0..TASKS).map(worker)).await;

    // Both connections, at the end.
    let (one, two) = (
        db.connection().await.expect("free"),
        db.connection().await.expect("free"),
    );
    for connection in [&one, &two] {
        if let Some(left) = left_behind(connection).await.expect("answers") {
            seen.wrong(format!("in the end: {left}"));
        }
    }
    let wrong = seen.wrong.into_inner().expect("a lock");
    assert!(
        wrong.is_empty(),
        "{} things wrong: {:?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    // Nothing that was told to be committed is missing; what was cancelled while it committed may be there, too.
    let rows = database
        .client()
        .await
        .query("SELECT version - 1 FROM filter_set ORDER BY tenant_id", &[])
        .await
        .expect("versions");
    let stored: Vec<usize> = rows
        .iter()
        .map(|row| usize::try_from(row.get::<_, i64>(0)).expect("a count"))
        .collect();
    let told: Vec<usize> = seen.committed.iter().map(|n| n.load(Ordering::Relaxed)).collect();
    let (sum, cancelled) = (told.iter().sum::<usize>(), seen.cancelled.into_inner());
    assert!(
        stored.iter().zip(&told).all(|(s, t)| s >= t),
        "stored {stored:?}, told {told:?}"
    );
    assert!(
        stored.iter().sum::<usize>() <= sum + cancelled,
        "more stored than begun"
    );
    assert!(
        sum > 300 && cancelled > 300,
        "{sum} committed, {cancelled} cancelled: the times do not fit this machine"
    );
}

/// The check itself: what a hand-made BEGIN leaves behind is seen by the next user of the connection.
#[tokio::test]
async fn a_contaminated_connection_is_seen() {
    let database = Database::migrated().await;
    for leak in [
        "BEGIN; SET LOCAL ROLE garrison_service; SET LOCAL app.tenant = '7'",
        "BEGIN",
        "SET app.tenant = '7'",
        "SET ROLE garrison_platform",
        "SET statement_timeout = '10s'",
    ] {
        let db = pool(&database, 1);
        let connection = db.connection().await.expect("free");
        assert_eq!(left_behind(&connection).await.expect("answers"), None);
        connection.batch_execute(leak).await.expect("a leak");
        drop(connection);
        let next = db.connection().await.expect("free");
        assert!(
            left_behind(&next).await.expect("answers").is_some(),
            "not seen: {leak}"
        );
    }
}
