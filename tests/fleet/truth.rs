//! What is wished while a turn is under way is not forgotten when it ends, and one ban does not speak for another.
use super::rows::{key, server};
use crate::support::world::World;
use serde_json::json;

const CHANGED: &str = include_str!("../../sql/lapi/update_changed.sql");
const WRITTEN: &str = include_str!("../../sql/replication/update_written.sql");
const READ: &str = include_str!("../../sql/replication/update_read.sql");
const RELEASE: &str = include_str!("../../sql/lane/release.sql");

/// A server is changed by a transaction that began before the turns were claimed and ends while they are under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_during_a_turn_outlives_the_turn() {
    let world = World::start().await;
    let (client, mut other) = (world.db.client().await, world.db.client().await);
    let id = server(&client, "a", true, true).await;
    let change = other.transaction().await.expect("a transaction");
    change.query("SELECT now()", &[]).await.expect("its time");
    let claimed = format!(
        "INSERT INTO lapi_sync (tenant_id, server_id, machine_id) VALUES (1, {id}, 900);
         INSERT INTO lane (tenant_id, topic, subject_id, due_at, claimed_at, lease_until, fence)
           SELECT 1, t, {id}, now() - interval '1 second', now(), now() + interval '1 hour', 7 FROM unnest(ARRAY[2, 3]) t"
    );
    client.batch_execute(&claimed).await.expect("two turns");
    change
        .execute(CHANGED, &[&1_i32, &id, &true])
        .await
        .expect("a change");
    change.commit().await.expect("commit");

    let skew: Option<i64> = None;
    client
        .execute(WRITTEN, &[&1_i32, &id, &false, &false, &skew])
        .await
        .expect("written");
    client
        .execute(READ, &[&1_i32, &id, &true, &true, &false])
        .await
        .expect("read");
    let sync = "SELECT write_open, read_open, machine_id FROM lapi_sync WHERE server_id = $1";
    let row = client.query_one(sync, &[&id]).await.expect("a row");
    let found: (bool, bool, Option<i64>) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(found, (true, true, None), "it is compared and read anew");
    for topic in [2_i16, 3] {
        let (upto, pause): (Option<String>, Option<f64>) = (None, Some(3600.0));
        client
            .execute(RELEASE, &[&1_i32, &topic, &id, &7_i64, &upto, &pause])
            .await
            .expect("given back");
    }
    let due = "SELECT count(*) FROM lane WHERE subject_id = $1 AND topic IN (2, 3) AND claimed_at <= now() AND due_at < now() + interval '1 minute'";
    let due: i64 = client.query_one(due, &[&id]).await.expect("a count").get(0);
    assert_eq!(due, 2, "and at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_for_one_server_does_not_shorten_that_of_another() {
    let world = World::start().await;
    let (api, client) = (world.api(), world.db.client().await);
    for name in ["a", "b"] {
        let port = crate::support::free_port();
        let body = json!({"name": name, "url": format!("http://127.0.0.1:{port}/"), "apiKey": "k", "machineId": "m", "password": "p"});
        api.post("/api/lapi-servers", &body).await.expect(201);
    }
    for (name, duration) in [("a", "24h"), ("b", "1h"), ("b", "2h")] {
        let body = json!({"servers": [name], "ip": "192.0.2.7", "duration": duration, "reason": "x"});
        api.post("/api/decisions/ban", &body).await.expect(202);
    }
    let sql = "SELECT l.name, round(extract(epoch FROM d.until - now()) / 3600)::int FROM decision d
               JOIN lapi_server l ON l.id = ANY (d.servers) WHERE d.key = $1 ORDER BY l.name";
    let rows = client
        .query(sql, &[&key("192.0.2.7", "ban")])
        .await
        .expect("rows");
    let hours: Vec<(String, i32)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(hours, [("a".to_owned(), 24), ("b".to_owned(), 2)]);
}
