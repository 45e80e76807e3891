//! An entry that is added and a decision that is taken up in the same instant, in any order.
use super::allowlist::{ENTRIES, decide, in_force, tenant_id};
use crate::support::postgres::Database;
use crate::support::wait;
use crate::support::world::World;
use garrison::db::{Db, DbConfig, Tenant};
use garrison::fleet::allowlist::{Covering, covering};
use garrison::fleet::decision::{Claim, Fact, Source, upsert};
use garrison::kernel::net::parse_block;
use serde_json::json;
use tokio_postgres::Client;

fn pool(db: &Database) -> Db {
    let config = DbConfig {
        url: db.url.clone(),
        pool_size: 4,
        ca_file: None,
        statement_cache: true,
    };
    Db::new(&config).expect("a pool")
}

fn claim(value: &str, source: Source) -> Claim {
    Claim {
        fact: Fact::read("Ip", value, "ban").expect("a fact"),
        source,
        origin: "crowdsec".to_owned(),
        scenario: "ssh-bf".to_owned(),
        until: jiff::Timestamp::now() + jiff::SignedDuration::from_hours(4),
        uuid: None,
    }
}

/// Takes decisions up as a worker does; how many changed.
async fn take_up(db: &Db, tenant: i32, claims: &[Claim]) -> usize {
    let mut connection = db.connection().await.expect("a connection");
    let tx = db
        .tenant(&mut connection, Tenant::proven(tenant))
        .await
        .expect("a transaction");
    let keys = upsert(&tx, claims).await.expect("taken up");
    tx.commit().await.expect("commit");
    keys.len()
}

async fn entry(client: &Client, tenant: i32, value: &str, lo: &str, hi: &str) {
    let sql = "INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi, reason)
        SELECT $1, id, $2, $3::text::inet, $4::text::inet, 'why' FROM allowlist WHERE tenant_id = $1 AND name = 'office'";
    let made = client.execute(sql, &[&tenant, &value, &lo, &hi]).await;
    assert_eq!(made.expect("an entry"), 1);
}

/// Whether somebody waits for a lock of the kind that orders them.
async fn someone_waits(client: &Client) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 7463218 AND NOT granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    client.query_one(sql, &[]).await.expect("locks").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_misses_what_the_other_is_about_to_commit() {
    let world = World::start().await;
    let (api, db) = (world.api(), pool(&world.db));
    let (client, watch) = (world.db.client().await, world.db.client().await);
    let own = tenant_id(&client, "default").await;
    api.post("/api/allowlists", &json!({"name": "office"}))
        .await
        .expect(201);

    // Somebody is in the middle of taking a decision up: the entry waits, and lifts it.
    let lock = format!("BEGIN; SELECT pg_advisory_xact_lock_shared(7463218, {own})");
    client.batch_execute(&lock).await.expect("a lock");
    decide(&client, own, (1, 1), "192.0.2.1", "4 hours").await;
    let body = json!({"entries": [{"value": "192.0.2.0/24"}]});
    let (waiting, other) = (api.clone(), claim("198.51.100.1", Source::Signal(2)));
    let adding = tokio::spawn(async move { waiting.post(ENTRIES, &body).await });
    wait::until_true("the entry waits", wait::secs(3), || someone_waits(&watch)).await;
    assert!(!adding.is_finished());
    client.batch_execute("COMMIT").await.expect("commit");
    let done = adding.await.expect("an answer").expect(200).json();
    assert_eq!(done["lifts"][0]["value"], "192.0.2.1", "{done}");
    assert_eq!(in_force(&client, own).await, Vec::<String>::new());

    // Somebody is in the middle of adding an entry: what it covers is not taken up, the rest is.
    let lock = format!("BEGIN; SELECT pg_advisory_xact_lock(7463218, {own})");
    client.batch_execute(&lock).await.expect("a lock");
    entry(&client, own, "203.0.113.0/24", "203.0.113.0", "203.0.113.255").await;
    let claims = [claim("203.0.113.9", Source::Signal(1)), other];
    let worker = db.clone();
    let taking = tokio::spawn(async move { take_up(&worker, own, &claims).await });
    wait::until_true("the worker waits", wait::secs(3), || someone_waits(&watch)).await;
    assert!(!taking.is_finished());
    client.batch_execute("COMMIT").await.expect("commit");
    assert_eq!(taking.await.expect("a worker"), 1);
    assert_eq!(in_force(&client, own).await, ["198.51.100.1"]);

    // Workers do not wait for each other, nor for another tenant.
    let lock = format!(
        "BEGIN; SELECT pg_advisory_xact_lock_shared(7463218, {own}), pg_advisory_xact_lock(7463218, {})",
        own + 1
    );
    client.batch_execute(&lock).await.expect("a lock");
    assert_eq!(
        take_up(&db, own, &[claim("198.51.100.2", Source::Signal(1))]).await,
        1
    );
    client.batch_execute("COMMIT").await.expect("commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_first_nothing_that_is_allowed_stays_in_force() {
    let world = World::start().await;
    let (api, db, client) = (world.api(), pool(&world.db), world.db.client().await);
    let own = tenant_id(&client, "default").await;
    api.post("/api/allowlists", &json!({"name": "office"}))
        .await
        .expect(201);
    for n in 1..=40 {
        let value = format!("192.0.2.{n}");
        let claims = [
            claim(&value, Source::Signal(1)),
            claim("203.0.113.200", Source::Signal(n)),
        ];
        let body = json!({"entries": [{"value": value}]});
        let (answer, _) = tokio::join!(api.post(ENTRIES, &body), take_up(&db, own, &claims));
        answer.expect(200);
        let standing = in_force(&client, own).await;
        assert!(standing.iter().all(|v| v == "203.0.113.200"), "{standing:?}");
    }
    assert_eq!(in_force(&client, own).await.len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_covering_entry_is_found() {
    let world = World::start().await;
    let (api, db, client) = (world.api(), pool(&world.db), world.db.client().await);
    let own = tenant_id(&client, "default").await;
    let stranger: i32 = world.tenant("other").await.id.parse().expect("a number");
    for name in ["office", "home"] {
        api.post("/api/allowlists", &json!({"name": name}))
            .await
            .expect(201);
    }
    let add = |list: &str, value: &str| {
        let (api, path) = (api.clone(), format!("/api/allowlists/{list}/entries"));
        let body = json!({"entries": [{"value": value, "reason": value}]});
        async move { api.post(&path, &body).await.expect(200) }
    };
    for value in ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"] {
        add("office", value).await;
    }
    add("home", "10.1.0.0/16").await;
    let sql = "INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi, expires_at)
        SELECT $1, min(id), '198.51.100.7', '198.51.100.7', '198.51.100.7', now() - interval '1 s' FROM allowlist";
    client.execute(sql, &[&own]).await.expect("an expired entry");
    for (block, expected) in [
        ("10.2.3.4", Some(("office", "10.0.0.0/8"))),
        ("10.1.3.4", Some(("home", "10.1.0.0/16"))),
        ("10.0.0.0/24", Some(("office", "10.0.0.0/8"))),
        ("10.1.0.0/16", Some(("home", "10.1.0.0/16"))),
        ("8.0.0.0/6", Some(("home", "10.1.0.0/16"))),
        ("11.0.0.0", None),
        ("9.255.255.255", None),
        ("::ffff:192.0.2.7", Some(("office", "192.0.2.7"))),
        ("192.0.2.0/24", Some(("office", "192.0.2.7"))),
        ("192.0.2.8/29", None),
        ("2001:db8:ffff::1", Some(("office", "2001:db8::/32"))),
        ("2001:db9::1", None),
        ("::c000:207", None),
        ("198.51.100.7", None),
    ] {
        let mut connection = db.connection().await.expect("a connection");
        for tenant in [own, stranger] {
            let tx = db
                .tenant(&mut connection, Tenant::proven(tenant))
                .await
                .expect("a transaction");
            let found = covering(&tx, &parse_block(block).expect("a block")).await;
            let expected = expected.filter(|_| tenant == own).map(|(list, value)| Covering {
                list: list.to_owned(),
                value: value.to_owned(),
                reason: value.to_owned(),
            });
            assert_eq!(found.expect("an answer"), expected, "{block}");
        }
    }
}
