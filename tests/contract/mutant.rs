//! Statements whose author forgot the tenant, and calls of them that ask for another tenant's rows.
use super::mutant_ageing;
use super::source::without_comments;
use super::walk::{A, B};
use regex::Regex;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// The statement with every condition on `tenant_id` taken out.
pub fn forgetful(sql: &str) -> String {
    let sql = without_comments(sql);
    let own = Regex::new(r"\b(\w+\.)?tenant_id = \$1\b").unwrap();
    let joined = Regex::new(r"\b\w+\.tenant_id = \w+\.tenant_id\b").unwrap();
    let sql = own.replace_all(&sql, "$$1::int IS NOT NULL");
    joined.replace_all(&sql, "true").into_owned()
}

/// Reads, and the parameters after the tenant: what belongs to tenant 2, or to both.
const READS: [(&str, &str); 74] = [
    ("alert/exists_newer", ", '{newest_a}'"),
    ("alert/get", ", 201"),
    (
        "alert/list",
        ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 100, 0",
    ),
    (
        "alert/list",
        ", NULL, NULL, 'canary', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2, 1",
    ),
    (
        "alert/list",
        ", NULL, NULL, NULL, NULL, NULL, '192.0.2.7', '192.0.2.7', '192.0.2.7', NULL, NULL, NULL, NULL, 100, 0",
    ),
    ("alert/get_body", ", '{batch_b}'"),
    ("allowlist/count", ""),
    ("allowlist/get", ", 'canary'"),
    (
        "allowlist/get_covering",
        ", '203.0.113.7', '203.0.113.7', '{203.0.113.0}'",
    ),
    ("allowlist/list", ""),
    ("allowlist/list_entries", ", 201, 0, 100"),
    (
        "allowlist/list_lifts",
        ", '{192.0.2.0}', '{192.0.2.255}', '{203.0.113.0}', '{203.0.113.7}', 1000",
    ),
    ("decision/get_actor", ", 201"),
    ("decision/list_copies", ", '{ {copy_b} }'"),
    ("decision/list_places", ""),
    ("explain/get_allowlist", ""),
    ("explain/list_alerts", ", '192.0.2.7', '192.0.2.7', '192.0.2.7'"),
    ("explain/list_allowed", ", '0.0.0.0', 'ffff::', '{}'"),
    ("explain/list_machines", ", '{201}'"),
    ("feed/get", ", 'canary'"),
    ("feed/get_content", ", 201, 0"),
    ("feed/list", ""),
    ("feed/list_allowed", ""),
    ("feed/list_entries", ", '{}', '{}', '{}', '{}', '{}', NULL, 100"),
    ("feed/list_tokens", ""),
    ("filter/count", ""),
    ("filter/get", ", 201"),
    ("filter/get_set", ""),
    ("filter/list", ""),
    (
        "filter/list_batches",
        ", 'ffffffff-ffff-ffff-ffff-ffffffffffff', 3650, 100",
    ),
    ("filter/list_enabled", ""),
    ("forward/list", ", 201, '0', 0, '9223372036854775807', 100"),
    ("forward/get_body", ", '{batch_b}'"),
    ("lapi/get", ", 'canary'"),
    ("lapi/list", ""),
    ("link/get_startup_owed", ", 201"),
    ("link/list_allowed", ""),
    ("link/list_allowlists", ""),
    ("link/list_decisions", ", 201"),
    ("link/list_entries", ", 299"),
    ("link/list_told", ", 201"),
    ("machine/get_credentials", ", 201"),
    ("machine/get_upstream", ", 201"),
    ("machine/list", ""),
    (
        "stats/list_alerts",
        ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'UTC', 15",
    ),
    (
        "stats/list_buckets",
        ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'UTC', 'day'",
    ),
    (
        "stats/list_decisions",
        ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'UTC', 15",
    ),
    (
        "stats/list_heatmap",
        ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'UTC'",
    ),
    (
        "stats/list_places",
        ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 100",
    ),
    (
        "stats/list_rolled_alerts",
        ", '1970-01-01', '1970-01-01', '1970-01-01', '2999-01-01', '2999-01-01', '2999-01-01', 'UTC', 15",
    ),
    (
        "stats/list_rolled_buckets",
        ", '1970-01-01', '1970-01-01', '2999-01-01', '2999-01-01', 'UTC', 'day'",
    ),
    (
        "stats/list_rolled_decisions",
        ", '1970-01-01', '1970-01-01', '1970-01-01', '2999-01-01', '2999-01-01', '2999-01-01', 'UTC', 15",
    ),
    (
        "stats/list_rolled_heatmap",
        ", '1970-01-01', '1970-01-01', '2999-01-01', '2999-01-01', 'UTC'",
    ),
    (
        "stats/list_rolled_places",
        ", '1970-01-01', '1970-01-01', '1970-01-01', '2999-01-01', '2999-01-01', '2999-01-01', true, 100",
    ),
    ("stats/list_scenarios", ""),
    ("stream/get", ", 201, '/v3/decisions/stream'"),
    ("token/count", ""),
    ("token/list", ""),
    ("decision/get_answer", ", 'open'"),
    ("decision/list_by_address", ", '192.0.2.0', '192.0.2.255', '{}'"),
    (
        "decision/list_delivered",
        ", '00000000-0000-0000-0000-0000000000a2', '2999-01-01'",
    ),
    (
        "decision/list_lifting",
        ", '{ 00000000-0000-0000-0000-0000000000b2 }'",
    ),
    ("lapi/get_by_id", ", 201"),
    ("lapi/list_state", ", NULL"),
    (
        "replication/count_early",
        ", 201, '{ 00000000-0000-0000-0000-0000000000b1 }'",
    ),
    (
        "replication/count_lifts",
        ", 201, '{ 00000000-0000-0000-0000-0000000000b4 }'",
    ),
    ("replication/get_sync", ", 201"),
    ("replication/list", ", 2, 201, '0', 0, '9223372036854775807', 10"),
    (
        "replication/list_keys",
        ", 201, '00000000-0000-0000-0000-000000000000', 100",
    ),
    ("replication/list_signalled", ", '{ {key_b} }', 100"),
    (
        "replication/list_signalled_after",
        ", '00000000-0000-0000-0000-000000000000', 100",
    ),
    ("replication/list_sources", ""),
    (
        "replication/list_views",
        ", 201, '{ 00000000-0000-0000-0000-0000000000b1, 00000000-0000-0000-0000-0000000000b2 }', true, NULL",
    ),
    ("signal/list_own_logins", ""),
];

/// Changes of tenant 2's rows.
const CHANGES: [(&str, &str); 58] = [
    ("allowlist/delete", ", 'theirs'"),
    ("allowlist/delete_entry", ", 'theirs', '203.0.113.0/24'"),
    ("allowlist/delete_expired", ""),
    ("allowlist/touch", ", 201"),
    ("feed/delete", ", 202"),
    ("feed/delete_token", ", 'canary', 201"),
    ("filter/delete", ", 201"),
    ("filter/update", ", 201, 'x', true, NULL, '{}', 9"),
    ("filter/update_set", ", 1"),
    ("forward/update_delivered", ", '{ {key_b} }'"),
    ("forward/update_refused", ", '{key_b}', 'x'"),
    ("lane/delete_sent", ", 1, 201, '0', 0, '9223372036854775807', 0"),
    ("lane/fail", ", 1, 201, 0, 5, 'x'"),
    ("lane/release", ", 1, 201, 0, '5', NULL"),
    ("lane/renew", ", 1, 201, 0, 60"),
    ("lane/update_delivered", ", 1, 201, 0, '5', 5"),
    ("lapi/delete", ", 'theirs'"),
    (
        "lapi/update",
        ", 201, 1, 'https://x.test/', '\\xaa', NULL, NULL, false, '{}', '{}'",
    ),
    ("lapi/update_check", ", 201, 1, true, NULL, NULL, NULL, 'x'"),
    ("link/delete", ", 201"),
    ("link/delete_given", ", 202"),
    ("link/delete_told", ", 202"),
    ("link/update_gone", ", 201, '{}'"),
    ("link/update_startup_owed", ", 201, true"),
    ("machine/claim_login", ", 201"),
    ("machine/release_login", ", 202"),
    ("machine/update_delivers", ", 201, false"),
    ("machine/update_login", ", 201, '', '', now(), '{}', 'x'"),
    ("machine/update_name", ", 201, 'x'"),
    ("machine/update_removed", ", 201"),
    ("machine/update_seen", ", 201, '{x}', 'x'"),
    ("machine/update_token", ", 201, '', now()"),
    ("machine/update_token_refused", ", 201, '\\xb0'"),
    ("machine/update_upstream", ", 201, '', now(), '{}'"),
    ("stats/upsert", ", 100"),
    ("stream/delete", ", 201"),
    ("stream/upsert", ", 201, '/v3/decisions/stream', 'x', ''"),
    ("token/update_revoked", ", 201"),
    (
        "decision/insert_outbox",
        ", '{ 00000000-0000-0000-0000-0000000000b9 }', true",
    ),
    ("decision/delete_answer", ", 'open'"),
    (
        "decision/delete_said",
        ", 2, 201, '{ 00000000-0000-0000-0000-0000000000b1 }', '{crowdsec}'",
    ),
    ("decision/delete_source", ", 2, 201"),
    ("decision/delete_unsaid", ", 2, 201, '{}', '{}', '{}'"),
    (
        "decision/update_lifted",
        ", '{ 00000000-0000-0000-0000-0000000000b1, 00000000-0000-0000-0000-0000000000b2 }'",
    ),
    ("decision/update_answer", ", 'open', 200, 'x'"),
    (
        "lane/claim_one",
        ", 2, 201, 5, '00000000-0000-0000-0000-000000000001'",
    ),
    ("lane/update_due", ", 2, 201"),
    ("lapi/delete_lanes", ", 201"),
    ("lapi/update_changed", ", 201, false"),
    ("relay/delete_lifted", ", 201, '{canary_b}'"),
    (
        "replication/delete_copies",
        ", 201, '{ 00000000-0000-0000-0000-0000000000b2 }'",
    ),
    ("replication/delete_expired", ""),
    ("replication/delete_log", ", 201, '9223372036854775807'"),
    (
        "replication/update_lifted",
        ", 201, '{ 00000000-0000-0000-0000-0000000000b4 }'",
    ),
    (
        "replication/update_machine",
        ", 201, '{ 00000000-0000-0000-0000-0000000000b2 }', '{canary_b}'",
    ),
    ("replication/update_read", ", 201, true, true, true"),
    ("replication/update_read_open", ", 201"),
    ("replication/update_written", ", 201, true, true, 5"),
];

/// New rows: of whichever tenant comes first.
const INSERTS: [(&str, &str); 22] = [
    ("allowlist/insert", ", 'new', 'x'"),
    (
        "allowlist/upsert_entries",
        ", 101, '{192.0.2.9}', '{192.0.2.9}', '{192.0.2.9}', '{x}', '{NULL}', 'x'",
    ),
    (
        "decision/insert_audit",
        ", '01900000-0000-7000-8000-000000000001', '192.0.2.1', '192.0.2.1', 'x', '1', 'x', 'ip', '192.0.2.1', '192.0.2.1', NULL, 'x', '{}'",
    ),
    (
        "feed/insert",
        ", 100, 'new', '', '{}', '{ban}', '{}', NULL, false, NULL",
    ),
    ("feed/insert_token", ", 101, 50, 'cccc'"),
    ("feed/upsert_content", ", 101, 5, decode(repeat('cc', 32), 'hex')"),
    ("filter/insert", ", 'x', true, NULL, '{}', 1"),
    ("filter/insert_set", ", 1"),
    (
        "lapi/insert",
        ", 100, 'new', 'https://x.test/', '\\xaa', NULL, NULL, false, '{}', '{}'",
    ),
    ("link/upsert_digest", ", 909, 1, 'Ip x', ''"),
    ("link/upsert_given", ", 909, '{192.0.2.1}', '{x}', '{2036-01-01}'"),
    ("link/upsert_told", ", 909, '{7}', '{x}'"),
    (
        "machine/insert",
        ", 'login_new', 2, 'x', NULL, 'x', '', true, 'x'",
    ),
    // 49 columns without a row, then one item that could not be read.
    (
        "signal/insert",
        ", 1, '01900000-0000-7000-8000-000000000000', 3, 1, 1, '', {empty}, '{0}', '{x}', '{x}', '{0}', '{1}', false",
    ),
    ("stream/upsert", ", 909, '/x', 'x', ''"),
    ("token/insert", ", 'x', '', 'xxxx', 1, NULL"),
    ("decision/claim_answer", ", 'new', '\\xaa'"),
    ("decision/insert_lane", ""),
    (
        "decision/insert_hand",
        ", '00000000-0000-0000-0000-000000000001', 'crowdsieve', 'Ip', '192.0.2.1', 'ban', 's', '192.0.2.1', '192.0.2.1', '2999-01-01', 'x', NULL, 'x'",
    ),
    (
        "decision/upsert",
        ", '{ 00000000-0000-0000-0000-000000000001 }', '{1}', '{5}', '{x}', '{Ip}', '{192.0.2.1}', '{ban}', '{s}', '{192.0.2.1}', '{192.0.2.1}', '{2999-01-01}', '{NULL}'",
    ),
    ("lapi/insert_sync", ", 101"),
    (
        "replication/upsert_copies",
        ", 101, '{ 00000000-0000-0000-0000-000000000001 }', '{Ip}', '{192.0.2.1}', '{ban}', '{2999-01-01}', false, NULL",
    ),
];

/// A list, and those that stand in files of their own.
pub fn reads() -> impl Iterator<Item = (&'static str, &'static str)> {
    READS.into_iter().chain(mutant_ageing::READS)
}

/// The same.
pub fn changes() -> impl Iterator<Item = (&'static str, &'static str)> {
    CHANGES.into_iter().chain(mutant_ageing::CHANGES)
}

/// The same.
pub fn inserts() -> impl Iterator<Item = (&'static str, &'static str)> {
    INSERTS.into_iter().chain(mutant_ageing::INSERTS)
}

/// What the calls name that only this database knows.
pub struct Names(Vec<(&'static str, String)>);

impl Names {
    pub async fn of(client: &Client) -> Self {
        let sql = "SELECT max(received_at) FILTER (WHERE tenant_id = $1)::text AS newest_a,
                     (array_agg(key ORDER BY id) FILTER (WHERE tenant_id = $2 AND forward_state = 1))[1]::text AS key_b,
                     (SELECT max(id::text) FROM signal_batch WHERE tenant_id = $2) AS batch_b,
                     (SELECT max(key::text) FROM lapi_copy WHERE tenant_id = $2) AS copy_b FROM alert";
        let row = client.query_one(sql, &[&A, &B]).await.expect("names");
        let get = |name| (name, row.get::<_, String>(name));
        let empty = vec!["'{}'"; 49].join(", ");
        Self(vec![
            get("newest_a"),
            get("key_b"),
            get("batch_b"),
            get("copy_b"),
            ("empty", empty),
        ])
    }

    fn fill(&self, args: &str) -> String {
        self.0.iter().fold(args.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }
}

/// Runs a statement as somebody, in the transaction that is open; gives its rows, sorted.
pub async fn run(
    client: &Client,
    sql: &str,
    tenant: i32,
    args: &str,
    names: &Names,
) -> Result<Vec<Vec<String>>, Error> {
    let args = names.fill(args);
    let script = format!("DEALLOCATE ALL; PREPARE p AS {sql}\n; EXECUTE p({tenant}{args})");
    let mut rows = Vec::new();
    for message in client.simple_query(&script).await? {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push(
                (0..row.len())
                    .map(|n| row.get(n).unwrap_or("null").to_owned())
                    .collect(),
            );
        }
    }
    rows.sort();
    Ok(rows)
}

#[test]
fn a_forgetful_author_forgets_every_tenant() {
    for (sql, mutant) in [
        (
            "SELECT 1 FROM a WHERE tenant_id = $1 AND x = $10",
            "SELECT 1 FROM a WHERE $1::int IS NOT NULL AND x = $10",
        ),
        (
            "WHERE a.tenant_id = $1 -- tenant_id = $1",
            "WHERE $1::int IS NOT NULL ",
        ),
        (
            "JOIN l ON l.tenant_id = m.tenant_id AND y",
            "JOIN l ON true AND y",
        ),
        ("WHERE tenant_id = $10", "WHERE tenant_id = $10"),
    ] {
        assert_eq!(forgetful(sql), mutant);
    }
}
