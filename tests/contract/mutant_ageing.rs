//! The same for the statements of ageing, retention and erasure, and of the audit trail.

/// Reads, and the parameters after the tenant.
pub const READS: &[(&str, &str)] = &[
    ("retention/list", ""),
    (
        "retention/list_alerts",
        ", 1, false, false, '1970-01-01', -1, 100",
    ),
    (
        "retention/list_batches",
        ", -1, '00000000-0000-0000-0000-000000000000', 100",
    ),
    (
        "retention/list_bodies",
        ", -1, '00000000-0000-0000-0000-000000000000', 100",
    ),
    ("erase/count", ""),
    ("erase/count_copies", ""),
    ("erase/get_cached", ", 201, '/v3/decisions/stream'"),
    (
        "erase/list_alerts",
        ", '192.0.2.0', '192.0.2.255', '00000000-0000-0000-0000-000000000000', 100",
    ),
    ("erase/list_answers", ", '', 100"),
    (
        "erase/list_batches",
        ", '00000000-0000-0000-0000-000000000000', 100",
    ),
    ("erase/list_bodies", ", '{ {batch_b} }'"),
    ("erase/list_cached", ""),
    (
        "erase/list_copies",
        ", -1, '00000000-0000-0000-0000-000000000000', 100",
    ),
    (
        "erase/list_decisions",
        ", '00000000-0000-0000-0000-000000000000', -1, 100",
    ),
    ("erase/list_entries", ", '0.0.0.0', '255.255.255.255'"),
    ("erase/list_given", ", -1, '', 100"),
    ("erase/list_keys", ", 100"),
    (
        "erase/list_rejected",
        ", '00000000-0000-0000-0000-000000000000', -1, 100",
    ),
    ("erase/list_said", ", '0.0.0.0', '255.255.255.255'"),
    ("erase/list_settings", ""),
    (
        "erase/list_texts",
        ", '00000000-0000-0000-0000-000000000000', 100, '0.0.0.0', '0.0.0.0'",
    ),
    ("erase/list_events", ", '0', 0, 100"),
    ("erase/list_marks", ", 0, '', 100"),
    ("erase/list_runs", ", 0, 100"),
    ("erase/list_audit", ", 0, 100"),
    ("audit/claim_head", ""),
    ("audit/get_head", ""),
    (
        "audit/list",
        ", 9000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 100",
    ),
    ("audit/list_chain", ", 0, 100"),
];

/// Changes of tenant 2's rows.
pub const CHANGES: &[(&str, &str)] = &[
    ("retention/delete", ", '{}'"),
    ("retention/delete_alerts", ", '{ {key_b} }'"),
    ("retention/delete_batches", ", '{ {batch_b} }'"),
    ("retention/delete_decisions", ", '{ {key_b} }'"),
    ("retention/delete_leftovers", ", 90"),
    ("retention/delete_metrics", ", 80, 100"),
    ("retention/delete_rejected", ", '{ {batch_b} }'"),
    ("retention/delete_zeros", ""),
    (
        "retention/release",
        ", '00000000-0000-0000-0000-0000000000b1', true, true",
    ),
    ("retention/renew", ", '00000000-0000-0000-0000-0000000000b1'"),
    ("retention/update_bodies", ", '{ {batch_b} }'"),
    (
        "retention/update_bodies_upto",
        ", '00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-0000000000b1'",
    ),
    ("erase/delete_answers", ", '{canary,open}'"),
    ("erase/delete_cached", ", 201, '/v3/decisions/stream'"),
    ("erase/delete_copies", ", '{201}', '{ {copy_b} }'"),
    ("erase/delete_decisions", ", '{ {key_b} }', '{0}'"),
    ("erase/delete_entries", ", '{201,202,203}'"),
    ("erase/delete_given", ", '{201,202}', '{192.0.2.2,192.0.2.3}'"),
    ("erase/delete_rest", ""),
    ("erase/delete_said", ", '0.0.0.0', '255.255.255.255'"),
    ("erase/update_body", ", '{batch_b}', 'x'"),
    ("erase/update_rejected", ", '{batch_b}', 2, 'x'"),
    (
        "erase/update_texts",
        ", '{key_b}', '{x,x,x,x,x,x,x,x,x,x,x,x,x,x}', true",
    ),
    ("erase/update_withdrawn", ""),
    ("erase/delete_events", ", '{ {event_b} }', '{ {seq_b} }'"),
    ("erase/delete_marks", ", '{201}', '{192.0.2.7}'"),
    ("erase/delete_runs", ", '{201}'"),
    ("erase/delete_audit", ", '{201}'"),
];

/// New rows.
pub const INSERTS: &[(&str, &str)] = &[
    ("retention/claim", ", '00000000-0000-0000-0000-000000000009'"),
    ("retention/upsert", ", '{2}', '{5}'"),
    (
        "audit/insert",
        ", 900, now(), 4, NULL, 'x', 1, '{}', decode(repeat('c1', 32), 'hex'), decode(repeat('c2', 32), 'hex'), \
         decode(repeat('c3', 32), 'hex'), 'x', 'x', '{}', NULL, NULL",
    ),
    (
        "erase/insert",
        ", 1, 'x', decode(repeat('cc', 32), 'hex'), true, '{}'",
    ),
];
