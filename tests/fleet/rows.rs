//! Rows of the desired set, put there by hand.
use crate::support::world::World;
use garrison::fleet::decision::Fact;
use tokio_postgres::Client;

/// A row of tenant 1's set: source 1 an engine, 2 a server, 3 a hand.
pub struct Row<'a> {
    pub source: i16,
    pub id: i64,
    pub value: &'a str,
    pub kind: &'a str,
    pub origin: &'a str,
    pub scenario: &'a str,
    pub minutes: i32,
}

pub const ROW: Row<'static> = Row {
    source: 1,
    id: 900,
    value: "192.0.2.7",
    kind: "ban",
    origin: "crowdsec",
    scenario: "crowdsecurity/ssh-bf",
    minutes: 60,
};

pub fn key(value: &str, kind: &str) -> uuid::Uuid {
    Fact::read("Ip", value, kind).expect("a fact").key()
}

pub async fn put(client: &Client, row: &Row<'_>) {
    let fact = Fact::read("Ip", row.value, row.kind).expect("a fact");
    let (lo, hi) = fact.bounds();
    let sql = "INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until)
               VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + make_interval(mins => $11))";
    client
        .execute(
            sql,
            &[
                &fact.key(),
                &row.source,
                &row.id,
                &row.origin,
                &fact.scope,
                &fact.value,
                &fact.kind,
                &row.scenario,
                &lo,
                &hi,
                &row.minutes,
            ],
        )
        .await
        .expect("a row");
}

/// A LAPI server whose secrets do not open, so that nothing but the test writes its rows; its number.
pub async fn server(client: &Client, name: &str, writes: bool, replicates: bool) -> i64 {
    let sql = "INSERT INTO lapi_server (tenant_id, slot, name, url, bouncer_key, machine_id, machine_password, replicate_decisions)
               SELECT 1, 1 + count(*), $1, 'http://127.0.0.1:9/', '\\x00', CASE WHEN $2 THEN 'm' END, CASE WHEN $2 THEN '\\x00'::bytea END, $3
               FROM lapi_server RETURNING id";
    let row = client.query_one(sql, &[&name, &writes, &replicates]).await;
    row.expect("a server").get(0)
}

/// What Garrison put on a server; `off` seconds beside the end of `minutes` from now.
pub async fn copy(client: &Client, server: i64, value: &str, minutes: i32, off: i32, refused: Option<&str>) {
    let sql = "INSERT INTO lapi_copy (tenant_id, server_id, key, scope, value, type, until, state, error, checked_at)
               VALUES (1, $1, $2, 'Ip', $3, 'ban', now() + make_interval(mins => $4, secs => $5::int), CASE WHEN $6::text IS NULL THEN 1 ELSE 2 END,
                 $6, CASE WHEN $6 IS NULL THEN now() END)";
    client
        .execute(
            sql,
            &[&server, &key(value, "ban"), &value, &minutes, &off, &refused],
        )
        .await
        .expect("a copy");
}

/// Rows for feeds: of each kind that is on a list, and of each that is not.
pub async fn fill(world: &World) {
    let client = world.db.client().await;
    for (value, row) in [
        ("192.0.2.7", ROW),
        (
            "192.0.2.7",
            Row {
                source: 2,
                id: 1,
                origin: "cscli",
                minutes: 90,
                scenario: "manual",
                ..ROW
            },
        ),
        ("192.0.2.6", ROW),
        (
            "198.51.100.0/24",
            Row {
                origin: "cscli",
                scenario: "manual",
                ..ROW
            },
        ),
        ("2001:db8::9", ROW),
        (
            "203.0.113.5",
            Row {
                kind: "captcha",
                ..ROW
            },
        ),
        ("203.0.113.6", Row { minutes: -1, ..ROW }),
        ("203.0.113.7", ROW),
        ("203.0.113.64/26", ROW),
        (
            "203.0.113.8",
            Row {
                source: 2,
                id: 1,
                ..ROW
            },
        ),
    ] {
        put(&client, &Row { value, ..row }).await;
    }
    let more = "INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, until)
                  VALUES (1, gen_random_uuid(), 1, 900, 'crowdsec', 'Country', 'FR', 'ban', 'x', now() + interval '1 hour');
                UPDATE decision SET lifted_at = now() WHERE value = '203.0.113.8';
                WITH l AS (INSERT INTO allowlist (tenant_id, name) VALUES (1, 'office') RETURNING id)
                INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi, expires_at)
                  SELECT 1, id, v, v::inet, v::inet, e FROM l, (VALUES ('203.0.113.7', NULL), ('203.0.113.70', now() + interval '1 hour'),
                    ('192.0.2.7', now() - interval '1 hour')) AS x(v, e)";
    client.batch_execute(more).await.expect("rows");
}
