//! A database with a large tenant and a smaller one, as a month of real traffic leaves it.
use crate::support::env;
use crate::support::postgres::Database;
use tokio_postgres::Client;

/// Alerts of the larger tenant; `make drill` asks for a million.
pub fn alerts() -> i32 {
    env("GARRISON_TEST_PLANS_ALERTS").map_or(300_000, |n| n.parse().expect("a number of alerts"))
}

/// Tenant 1 with these alerts, tenant 2 with a tenth of them: 60 scenarios, 200 agents, 120 countries, 20,000 addresses, four
/// weeks, 50 alerts a batch. One alert in seven is filtered, a tenth of the last waits to be forwarded.
pub async fn filled() -> (Database, Client) {
    let db = Database::migrated().await;
    let client = db.client().await;
    client
        .batch_execute("SET synchronous_commit = off; SET work_mem = '64MB'")
        .await
        .expect("settings");
    let control = "INSERT INTO tenant (name, dedupe_key) SELECT 't' || t, decode(repeat('00', 32), 'hex') FROM generate_series(1, 40) t;
        INSERT INTO machine (tenant_id, login, kind, upstream_login, upstream_password, upstream_registered)
          SELECT t, 'm' || t || '-' || m, 2, '', '', true FROM generate_series(1, 40) t, generate_series(1, CASE t WHEN 1 THEN 50 ELSE 5 END) m;
        INSERT INTO lane (tenant_id, topic, subject_id, wake_xid) SELECT tenant_id, 1, id, CASE id % 3 WHEN 0 THEN '9'::xid8 ELSE '0' END FROM machine;
        INSERT INTO filter_set (tenant_id) SELECT id FROM tenant;
        INSERT INTO filter_rule (tenant_id, name, expression, version) SELECT t.id, 'r', '{}', 1 FROM tenant t, generate_series(1, 20)";
    client.batch_execute(control).await.expect("control rows");
    for (tenant, alerts) in [(1, alerts()), (2, alerts() / 10)] {
        client
            .batch_execute(&rows(tenant, alerts))
            .await
            .unwrap_or_else(|e| panic!("fill: {:?}", e.as_db_error()));
    }
    client.batch_execute(DECISIONS).await.expect("decisions");
    client.batch_execute(CHANGES).await.expect("changes");
    let fold = std::fs::read_to_string("sql/stats/upsert.sql").expect("a statement");
    for tenant in [1, 2] {
        let all =
            format!("DEALLOCATE ALL; PREPARE p AS {fold}\n; EXECUTE p({tenant}, 10000000); DEALLOCATE ALL");
        client.batch_execute(&all).await.expect("fold");
    }
    client.batch_execute(USAGE).await.expect("usage metrics");
    client.batch_execute("VACUUM ANALYZE").await.expect("analyze");
    (db, client)
}

/// Tenant 1's set: 100,000 addresses and 10,000 ranges that hold, each once on a server; 20,000 entries of an allowlist.
const DECISIONS: &str = "
    INSERT INTO lapi_server (tenant_id, slot, name, url, bouncer_key) VALUES (1, 1, 'paris', 'https://x.test/', '\\x00');
    INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until)
      SELECT 1, md5(n::text)::uuid, 1, n % 50, 'crowdsec', 'Ip', host(ip), 'ban', 'crowdsecurity/scenario-' || n % 60, ip, ip,
             now() + n % 240 * interval '1 minute' + interval '1 hour'
      FROM generate_series(1, 100000) n, LATERAL (SELECT '11.0.0.0'::inet + n::bigint * 251 AS ip) x
      UNION ALL
      SELECT 1, md5('r' || n)::uuid, 2, 1, 'cscli', 'Range', host(ip) || '/24', 'ban', 'manual', ip, ip + 255, now() + interval '1 hour'
      FROM generate_series(1, 10000) n, LATERAL (SELECT '11.0.0.0'::inet + n::bigint * 256 * 7 AS ip) x;
    INSERT INTO lapi_copy (tenant_id, server_id, key, scope, value, type, until)
      SELECT 1, l.id, d.key, d.scope, d.value, d.type, d.until FROM decision d JOIN lapi_server l USING (tenant_id);
    INSERT INTO event (tenant_id, xid, at, kind, keys)
      SELECT t, n::text::xid8, now() - (20000 - n) * interval '4 seconds', 1, '{}' FROM generate_series(1, 3) t, generate_series(1, 20000) n;
    WITH a AS (INSERT INTO allowlist (tenant_id, name) VALUES (1, 'office') RETURNING id)
    INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi)
      SELECT 1, a.id, host(ip), ip, ip FROM a, generate_series(1, 20000) n, LATERAL (SELECT '12.0.0.0'::inet + n::bigint * 9 AS ip) x";

/// What pushes would have left for the counts.
const CHANGES: &str = "
    INSERT INTO stat_delta (tenant_id, at, sign, filtered, scenario, country, country_name, cell)
      SELECT tenant_id, received_at, 1, count(*) FILTER (WHERE filtered), array_agg(scenario), array_agg(geo_country_code),
             array_agg(NULL::text), array_agg(hashtext(geo_country_code) % 180 + 90090)
      FROM alert GROUP BY tenant_id, received_at";
/// Of tenant 1, 120,000 windows of 2,000 components within 90 days; in one of ten something was dropped.
const USAGE: &str = "
    INSERT INTO usage_component (tenant_id, machine_id, kind, name)
      SELECT 1, m.id, 1, 'edge-' || n FROM machine m, generate_series(1, 40) n WHERE m.tenant_id = 1;
    INSERT INTO usage_metric (tenant_id, machine_id, key, kind, name, collected_at, dropped_items, items)
      SELECT 1, m.id, gen_random_uuid(), 1, 'edge-' || n % 40 + 1, now() - n * interval '54 minutes', CASE WHEN n % 10 = 0 THEN n ELSE 0 END, '[]'
      FROM machine m, generate_series(1, 2400) n WHERE m.tenant_id = 1";

fn rows(tenant: i32, alerts: i32) -> String {
    let batches = alerts / 50;
    // Batch n came that many equal steps before now; its id and its alerts' keys are led by the same time.
    format!(
        "INSERT INTO signal_batch (tenant_id, id, machine_id, api_version, received_at, received, stored, duplicate, rejected, filtered, body)
         SELECT {tenant}, overlay(time_key(at)::text PLACING lpad(to_hex(n), 12, '0') FROM 25)::uuid,
                (SELECT min(id) FROM machine WHERE tenant_id = {tenant}) + n % CASE {tenant} WHEN 1 THEN 50 ELSE 5 END,
                3, at, 50, 50, 0, 0, 7, '\\x00'
         FROM generate_series(1, {batches}) n, LATERAL (SELECT now() - interval '28 days' * n / {batches} AS at) t;
         INSERT INTO alert (tenant_id, key, machine_id, received_at, start_at, batch_id, raw_offset, raw_length, forward_state, filtered,
           has_decisions, simulated, remediation, source_lo, source_hi, source_ip, source_scope, source_value, agent, scenario, message,
           geo_country_code, source_cn, forwarded_at)
         SELECT {tenant}, (substr(b.id::text, 1, 14) || substr(md5(b.id::text || n), 1, 20))::uuid, b.machine_id, b.received_at,
                b.received_at, b.id, n * 900, 900, CASE WHEN r % 7 = 0 THEN 0 ELSE 2 END, r % 7 = 0,
                true, false, true, ip, ip, host(ip), 'Ip', host(ip), 'agent-' || r % 200, 'crowdsecurity/scenario-' || (r / 7) % 60,
                'Ip ' || host(ip) || ' performed something', chr(65 + (r / 3) % 12) || chr(65 + (r / 5) % 10), 'XX',
                CASE WHEN r % 7 <> 0 THEN b.received_at + interval '1 second' END
         FROM signal_batch b, generate_series(0, 49) n,
              LATERAL (SELECT abs(hashint8(hashtext(b.id::text)::bigint * 50 + n)) AS r) x,
              LATERAL (SELECT '11.0.0.0'::inet + (r % 20000) * 251 AS ip) y
         WHERE b.tenant_id = {tenant};
         INSERT INTO outbox (tenant_id, topic, subject_id, keys)
         SELECT {tenant}, 1, machine_id, array_agg(key) FROM alert
         WHERE tenant_id = {tenant} AND forward_state = 2 AND received_at > now() - interval '3 days' GROUP BY machine_id, batch_id"
    )
}
