//! A bulk loader: the rows that a push would have made, by SQL, because ten million pushes take an hour. What it leaves out:
//! bodies (one byte each) and forwarding. Counts are made of the rows at the end, as folding would have made them.

use anyhow::Context as _;
use tokio_postgres::Client;

/// Days that the alerts are spread over.
pub const DAYS: u32 = 90;
/// Of which the first has half of everything.
pub const TENANTS: i32 = 20;
/// Alerts of one statement.
const PORTION: i64 = 50_000;

/// Tenants beside the first, and room for the times to come.
pub async fn prepare(db: &Client) -> anyhow::Result<()> {
    db.batch_execute(
        "INSERT INTO tenant (name, dedupe_key) SELECT 'bench-' || t, decode(repeat('00', 32), 'hex') FROM generate_series(2, 20) t
           WHERE (SELECT count(*) FROM tenant) < 20;
         TRUNCATE alert, alert_decision, signal_batch, rejected_signal, outbox, stat_delta, stat_total, stat_count, stat_name, stat_place",
    )
    .await
    .context("tenants")
}

/// Alerts of one tenant: 200 agents, 60 scenarios and 120 countries, the first ones most often, 200,000 addresses in some
/// 2,000 cells, most of them in few, a batch of 50 at an instant, one in seven filtered, a decision each.
pub async fn fill(db: &Client, tenant: i32, alerts: i64) -> anyhow::Result<()> {
    db.batch_execute("SET synchronous_commit = off").await?;
    let batches = alerts / 50;
    let mut first = 0;
    while first < batches {
        let last = (first + PORTION / 50).min(batches);
        db.batch_execute(&portion(tenant, batches, first, last))
            .await
            .with_context(|| format!("tenant {tenant}, batches {first} to {last}"))?;
        first = last;
    }
    Ok(())
}

fn portion(tenant: i32, batches: i64, first: i64, last: i64) -> String {
    format!(
        "WITH b AS MATERIALIZED (
           SELECT n, now() - interval '{DAYS} days' * n / {batches} AS at FROM generate_series({first} + 1, {last}) n),
         a AS MATERIALIZED (
           SELECT b.n, b.at, i, (overlay(md5({tenant} || '-' || b.n || '-' || i) PLACING left(replace(time_key(b.at)::text, '-', ''), 12) FROM 1))::uuid AS key,
             floor(200 * r1 * r1)::int AS agent, floor(60 * r2 * r2)::int AS scenario, floor(120 * r3 * r3)::int AS country,
             address, floor(2000 * power(address % 2003 / 2003.0, 3))::int AS cell
           FROM b, generate_series(0, 49) i,
             LATERAL (SELECT random() + b.n * 0 + i * 0 AS r1, random() + b.n * 0 + i * 0 AS r2, random() + b.n * 0 + i * 0 AS r3,
                        floor(200000 * random() + b.n * 0 + i * 0)::int AS address) r),
         batch AS (
           INSERT INTO signal_batch (tenant_id, id, machine_id, api_version, received_at, received, stored, duplicate, rejected, filtered, body)
           SELECT {tenant}, overlay(time_key(at)::text PLACING lpad(to_hex({tenant} * 100000000::bigint + n), 12, '0') FROM 25)::uuid, 1, 3, at, 50, 50, 0, 0, 7, '\\x00' FROM b),
         alerts AS (
           INSERT INTO alert (tenant_id, key, machine_id, received_at, start_at, batch_id, raw_offset, raw_length, forward_state, filtered,
             has_decisions, simulated, remediation, source_lo, source_hi, source_ip, source_scope, source_value, agent, scenario, message,
             geo_country_code, geo_country_name, geo_latitude, geo_longitude, source_cn, uuid, start_text, stop_text, events_count)
           SELECT {tenant}, key, 1, at, at, overlay(time_key(at)::text PLACING lpad(to_hex({tenant} * 100000000::bigint + n), 12, '0') FROM 25)::uuid,
             i * 900, 900, 0, address % 7 = 0, true, false, true, ip, ip, host(ip), 'Ip', host(ip), 'agent-' || agent,
             'crowdsecurity/scenario-' || scenario, 'Ip ' || host(ip) || ' performed something bad',
             chr(65 + country / 11) || chr(65 + country % 11), 'Country ' || country, cell / 43, cell % 43, 'XX',
             key::text, at::text, at::text, 6
           FROM a, LATERAL (SELECT '11.0.0.0'::inet + address::bigint * 251 AS ip) x)
         INSERT INTO alert_decision (tenant_id, alert_key, item, duration_ms, until, origin, type, scope, value, duration, scenario)
         SELECT {tenant}, key, 0, CASE WHEN address % 5 = 0 THEN 86400000 ELSE 14400000 END, at + interval '4 hours', 'crowdsec', 'ban', 'Ip',
           host('11.0.0.0'::inet + address::bigint * 251), '4h0m0s', 'crowdsecurity/scenario-' || scenario FROM a"
    )
}

/// Counts of a tenant's alerts, as V0013 and V0020 describe them: hours of the rows, days of the hours, all of the days.
pub async fn count(db: &Client, tenant: i32) -> anyhow::Result<()> {
    let kept = |dim: i32, columns: &str| {
        format!(
            "INSERT INTO stat_count (tenant_id, dim, span, at, key, sub, n)
               SELECT {tenant}, {dim}, 2, at, {columns}, count(*) FROM a GROUP BY at, 5, 6;
             INSERT INTO stat_count (tenant_id, dim, span, at, key, sub, n)
               SELECT tenant_id, dim, 1, date_bin('1 day', at, 'epoch'), key, sub, sum(n)
               FROM stat_count WHERE tenant_id = {tenant} AND dim = {dim} AND span = 2 GROUP BY 1, 2, 3, 4, 5, 6;
             INSERT INTO stat_count (tenant_id, dim, span, at, key, sub, n)
               SELECT tenant_id, dim, 0, 'epoch'::timestamptz, key, sub, sum(n)
               FROM stat_count WHERE tenant_id = {tenant} AND dim = {dim} AND span = 1 GROUP BY 1, 2, 3, 4, 5, 6;"
        )
    };
    let counts = [
        (1, "scenario, ''"),
        (2, "country, name"),
        (3, "scenario, ''"),
        (4, "country, name"),
        (5, "length::text, ''"),
    ]
    .map(|(dim, columns)| kept(dim, columns))
    .concat();
    let sql = format!(
        "SET work_mem = '256MB';
         CREATE TEMP TABLE a AS
           SELECT date_bin('1 hour', a.received_at, 'epoch') AS at, a.scenario, a.geo_country_code AS country, a.geo_country_name AS name,
             stat_cell(a.geo_latitude, a.geo_longitude) AS cell, stat_length(d.duration_ms) AS length
           FROM alert a JOIN alert_decision d ON d.tenant_id = a.tenant_id AND d.alert_key = a.key WHERE a.tenant_id = {tenant};
         ANALYZE a;
         INSERT INTO stat_total (tenant_id, at, alerts, filtered, forwarded, decisions)
           SELECT {tenant}, date_bin('15 minutes', received_at, 'epoch'), count(*), count(*) FILTER (WHERE filtered), count(forwarded_at), count(*)
           FROM alert WHERE tenant_id = {tenant} GROUP BY 2;
         {counts}
         INSERT INTO stat_name (tenant_id, id, name)
           SELECT {tenant}, row_number() OVER (), name FROM (SELECT scenario AS name FROM a UNION SELECT country FROM a) n;
         ANALYZE stat_name;
         INSERT INTO stat_place (tenant_id, span, at, place, scenario, n)
           SELECT {tenant}, 2, date_bin('6 hours', a.at, 'epoch'), v.place, k.id, count(*)
           FROM a JOIN stat_name k ON k.tenant_id = {tenant} AND k.name = a.scenario JOIN stat_name c ON c.tenant_id = {tenant} AND c.name = a.country,
             LATERAL (VALUES (a.cell), (-c.id)) AS v(place)
           GROUP BY 3, 4, 5 ORDER BY 3, 4, 5;
         INSERT INTO stat_place (tenant_id, span, at, place, scenario, n)
           SELECT tenant_id, 1, date_bin('1 day', at, 'epoch'), place, scenario, sum(n)
           FROM stat_place WHERE tenant_id = {tenant} AND span = 2 GROUP BY 1, 3, 4, 5 ORDER BY 3, 4, 5;
         INSERT INTO stat_place (tenant_id, span, at, place, scenario, n)
           SELECT tenant_id, 0, 'epoch'::timestamptz, place, scenario, sum(n)
           FROM stat_place WHERE tenant_id = {tenant} AND span = 1 GROUP BY 1, 3, 4, 5 ORDER BY 4, 5;
         DROP TABLE a;
         RESET work_mem"
    );
    db.batch_execute(&sql)
        .await
        .with_context(|| format!("counts of tenant {tenant}"))
}
