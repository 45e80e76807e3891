//! The same for the statements that write a tenant to a file and read one.

/// Reads; none has parameters after the tenant.
pub const READS: &[(&str, &str)] = &[
    ("transfer/list_again", ""),
    ("transfer/list_alert", ""),
    ("transfer/list_alert_decision", ""),
    ("transfer/list_allowlist", ""),
    ("transfer/list_allowlist_entry", ""),
    ("transfer/list_analyzer", ""),
    ("transfer/list_analyzer_mark", ""),
    ("transfer/list_analyzer_run", ""),
    ("transfer/list_audit", ""),
    ("transfer/list_decision", ""),
    ("transfer/list_feed", ""),
    ("transfer/list_filter_rule", ""),
    ("transfer/list_filter_set", ""),
    ("transfer/list_lapi_server", ""),
    ("transfer/list_link_given", ""),
    ("transfer/list_machine", ""),
    ("transfer/list_outbox", ""),
    ("transfer/list_rejected_signal", ""),
    ("transfer/list_retention", ""),
    ("transfer/list_signal_batch", ""),
    ("transfer/list_stat_usage", ""),
    ("transfer/list_stat_usage_machine", ""),
    ("transfer/list_usage_component", ""),
    ("transfer/list_usage_metric", ""),
];

/// New rows.
pub const INSERTS: &[(&str, &str)] = &[
    (
        "transfer/insert_alert",
        r#", '[{"key":"00000000-0000-0000-0000-0000000000c1","received_at":"2026-01-01","forward_state":1,"filtered":false,"has_decisions":false,"replicated":false,"local_audit":false,"scenario":"x"}]'"#,
    ),
    (
        "transfer/insert_alert_decision",
        r#", '[{"alert_key":"00000000-0000-0000-0000-0000000000c1","item":0,"type":"ban","scope":"Ip","value":"192.0.2.1"}]'"#,
    ),
    (
        "transfer/insert_allowlist",
        r#", '[{"name":"new","description":"","created_at":"2026-01-01","updated_at":"2026-01-01"}]'"#,
    ),
    (
        "transfer/insert_allowlist_entry",
        r#", '[{"allowlist_id":101,"value":"192.0.2.99","lo":"192.0.2.99","hi":"192.0.2.99","reason":"","actor":"","created_at":"2026-01-01"}]'"#,
    ),
    (
        "transfer/insert_analyzer",
        r#", '[{"slug":"new","rule":{},"url":"x","enabled":false,"counts_from":"-infinity","version":1,"created_at":"2026-01-01","updated_at":"2026-01-01"}]'"#,
    ),
    (
        "transfer/insert_analyzer_mark",
        r#", '[{"analyzer_id":101,"value":"192.0.2.99","acted_ns":1}]'"#,
    ),
    (
        "transfer/insert_analyzer_run",
        r#", '[{"analyzer_id":101,"by_hand":false,"started_at":"2026-01-01","completed_at":"2026-01-01","lines":1,"skipped":0,"detections":0,"decisions":0,"refused":0,"truncated":[],"results":[],"pushes":[]}]'"#,
    ),
    (
        "transfer/insert_decision",
        r#", '[{"key":"00000000-0000-0000-0000-0000000000c1","source":3,"source_id":0,"origin":"x","scope":"Ip","value":"192.0.2.1","type":"ban","scenario":"s","until":"2999-01-01","since":"2026-01-01","lift_done":false}]'"#,
    ),
    (
        "transfer/insert_feed",
        r#", '[{"name":"new","description":"","origins":[],"types":["ban"],"scenarios":[],"aggregate":false,"created_at":"2026-01-01"}]'"#,
    ),
    (
        "transfer/insert_filter_rule",
        r#", '[{"name":"new","enabled":true,"expression":{},"version":1,"created_at":"2026-01-01","updated_at":"2026-01-01"}]'"#,
    ),
    (
        "transfer/insert_filter_set",
        r#", '[{"mode":1,"version":1,"updated_at":"2026-01-01"}]'"#,
    ),
    (
        "transfer/insert_lapi_server",
        r#", '[{"slot":50,"name":"new","url":"x","bouncer_key":"\\xaa","replicate_decisions":false,"source_machine_ids":[],"tags":[],"version":1,"created_at":"2026-01-01","updated_at":"2026-01-01"}]'"#,
    ),
    (
        "transfer/insert_link_given",
        r#", '[{"machine_id":909,"value":"192.0.2.1","type":"ban","until":"2999-01-01"}]'"#,
    ),
    (
        "transfer/insert_machine",
        r#", '[{"login":"login_new","kind":2,"name":"","upstream_login":"x","upstream_password":"\\xaa","upstream_registered":true,"scenarios":[],"created_at":"2026-01-01","delivers":false,"startup_owed":false}]'"#,
    ),
    (
        "transfer/insert_outbox",
        r#", '[{"keys":["00000000-0000-0000-0000-0000000000c1"]}]'"#,
    ),
    (
        "transfer/insert_rejected_signal",
        r#", '[{"batch_id":"00000000-0000-0000-0000-0000000000c1","item":1,"field":"x","reason":"x","raw_offset":0,"raw_length":0}]'"#,
    ),
    ("transfer/insert_retention", r#", '[{"class":9,"days":5}]'"#),
    (
        "transfer/insert_signal_batch",
        r#", '[{"id":"00000000-0000-0000-0000-0000000000c1","machine_id":1,"api_version":3,"received_at":"2026-01-01","received":1,"stored":1,"duplicate":0,"rejected":0,"filtered":0}]'"#,
    ),
    (
        "transfer/insert_stat_usage",
        r#", '[{"month":"2019-01-01","received":1,"stored":1,"filtered":0,"forwarded":0,"decisions":0,"bytes":0}]'"#,
    ),
    (
        "transfer/insert_stat_usage_machine",
        r#", '[{"month":"2019-01-01","machine_id":909}]'"#,
    ),
    (
        "transfer/insert_usage_component",
        r#", '[{"machine_id":909,"kind":1,"name":"x","first_seen_at":"2026-01-01","last_seen_at":"2026-01-01"}]'"#,
    ),
    (
        "transfer/insert_usage_metric",
        r#", '[{"machine_id":909,"key":"00000000-0000-0000-0000-0000000000c1","kind":1,"name":"x","collected_at":"2026-01-01","received_at":"2026-01-01","skipped":0,"items":"[]"}]'"#,
    ),
    ("transfer/insert_lanes", ", true"),
    (
        "audit/insert_past",
        ", 901, now(), 4, 'past.x', 1, '{}', decode(repeat('c1', 32), 'hex'), decode(repeat('c2', 32), 'hex'), \
         decode(repeat('c3', 32), 'hex'), 'x', 'x', '{}', NULL, NULL",
    ),
];
