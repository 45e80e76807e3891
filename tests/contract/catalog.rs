//! The schema's own walls: row-level security, keys led by the tenant, roles that may do little.
use crate::support::postgres::Database;
use tokio_postgres::Client;

/// Each rule is a query that names what breaks it. `walled` are the tables of tenants' rows, `roles` ours.
const RULES: [(&str, &str); 14] = [
    (
        "row security is on and forced on every table with a tenant_id",
        "SELECT relname FROM owned WHERE NOT partition AND relname NOT IN ('credential', 'machine_login')
           AND NOT (relrowsecurity AND relforcerowsecurity)",
    ),
    (
        "a table without a tenant_id is on the list",
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'f')
           AND oid NOT IN (SELECT oid FROM owned)
           AND relname NOT IN ('platform_fact', 'tenant', 'unbound_login', 'upstream_login', 'dispatch', 'ip_info', 'refinery_schema_history', 'event_floor',
             'person', 'session', 'session_key', 'login_throttle', 'person_identity', 'single_use')",
    ),
    (
        "a walled table has exactly one restrictive policy, and it narrows garrison_service to its tenant",
        "SELECT o.relname FROM owned o WHERE o.relrowsecurity AND 1 <> (
           SELECT count(*) FILTER (WHERE polname = 'tenant' AND polcmd = '*' AND polroles = ARRAY['garrison_service'::regrole::oid]
                    AND pg_get_expr(polqual, polrelid) = e AND pg_get_expr(polwithcheck, polrelid) = e)
                  + 9 * count(*) FILTER (WHERE polname <> 'tenant')
           FROM pg_policy, (SELECT '(tenant_id = (NULLIF(current_setting(''app.tenant''::text, true), ''''::text))::integer)' AS e) x
           WHERE polrelid = o.oid AND NOT polpermissive)",
    ),
    (
        "a walled table has exactly one permissive policy, for our two roles",
        "SELECT o.relname FROM owned o WHERE o.relrowsecurity AND 1 <> (
           SELECT count(*) FILTER (WHERE polroles @> ARRAY['garrison_service'::regrole::oid, 'garrison_platform'::regrole::oid]
                    AND cardinality(polroles) = 2) + 9 * count(*) FILTER (WHERE polname <> 'entry')
           FROM pg_policy WHERE polrelid = o.oid AND polpermissive)",
    ),
    (
        "every key and unique index leads with tenant_id",
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN owned o ON o.oid = i.indrelid
         WHERE i.indisunique AND o.relname NOT IN ('credential', 'machine_login') AND i.indkey[0] IS DISTINCT FROM o.attnum",
    ),
    (
        "every walled table has a primary key",
        "SELECT relname FROM owned o WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = o.oid AND indisprimary)",
    ),
    (
        "every foreign key leads with tenant_id, on both sides",
        "SELECT c.conrelid::regclass || '.' || c.conname FROM pg_constraint c LEFT JOIN owned o ON o.oid = c.conrelid
         LEFT JOIN owned f ON f.oid = c.confrelid
         WHERE c.contype = 'f' AND (c.conkey[1] IS DISTINCT FROM o.attnum
           OR c.confrelid <> 'tenant'::regclass AND c.confkey[1] IS DISTINCT FROM f.attnum)",
    ),
    (
        "our roles have no special powers and are members of nothing",
        "SELECT rolname FROM roles r WHERE rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication
           OR EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) OR has_schema_privilege(r.oid, 'public', 'CREATE')",
    ),
    (
        "our roles own nothing",
        "SELECT rolname FROM roles r WHERE EXISTS (SELECT FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o')",
    ),
    (
        "garrison_service may do nothing on the tables of the platform",
        "SELECT t.relname FROM pg_class t WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')
           AND NOT t.relispartition AND NOT t.relrowsecurity
           AND (has_table_privilege('garrison_service', t.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
             OR has_any_column_privilege('garrison_service', t.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))",
    ),
    (
        "garrison_platform reads nothing of what tenants' machines sent or their rules say",
        "SELECT t.relname FROM pg_class t WHERE t.relname IN
           ('alert', 'alert_decision', 'signal_batch', 'rejected_signal', 'filter_rule', 'filter_set', 'stream_cache', 'lapi_server',
            'decision', 'lapi_copy', 'lapi_sync', 'idempotent_answer', 'allowlist', 'allowlist_entry', 'stat_total', 'stat_count',
            'stat_name', 'stat_place', 'stat_usage', 'stat_usage_machine',
            'analyzer', 'analyzer_run', 'analyzer_mark', 'usage_component', 'usage_metric')
           AND has_any_column_privilege('garrison_platform', t.oid, 'SELECT, INSERT, UPDATE, REFERENCES')",
    ),
    (
        "nobody may truncate, refer to or put triggers on a table, which row security does not see",
        "SELECT rolname || ' on ' || t.relname FROM roles r, pg_class t
         WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')
           AND (has_table_privilege(r.oid, t.oid, 'TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege(r.oid, t.oid, 'REFERENCES'))",
    ),
    (
        "partitions carry no grants: they have no policies of their own",
        "SELECT rolname || ' on ' || t.relname FROM roles r, pg_class t WHERE t.relispartition AND t.relkind = 'r'
           AND (has_any_column_privilege(r.oid, t.oid, 'SELECT, INSERT, UPDATE, REFERENCES') OR has_table_privilege(r.oid, t.oid, 'DELETE'))",
    ),
    (
        "no function, view or default opens a way round",
        "SELECT proname || '()' FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND (prosecdef
             OR proname NOT IN ('time_key', 'stat_cell', 'stat_length') AND (has_function_privilege('garrison_service', p.oid, 'EXECUTE')
                  OR has_function_privilege('garrison_platform', p.oid, 'EXECUTE')))
         UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND (relkind = 'm' OR relkind = 'v'
             AND NOT coalesce(reloptions @> ARRAY['security_invoker=true'], false))
         UNION ALL SELECT 'default privileges' FROM pg_default_acl",
    ),
];

/// What breaks a rule, a line each.
async fn broken(client: &Client) -> Vec<String> {
    let mut found = Vec::new();
    for (rule, query) in RULES {
        let sql = format!(
            "WITH owned AS (
               SELECT c.oid, c.relname::text, c.relrowsecurity, c.relforcerowsecurity, a.attnum, c.relispartition AS partition
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f')),
             roles AS (SELECT * FROM pg_roles WHERE rolname IN ('garrison_service', 'garrison_platform'))
             SELECT x.*::text FROM ({query}) x"
        );
        let rows = client
            .query(&sql, &[])
            .await
            .unwrap_or_else(|e| panic!("{rule}: {:?}", e.as_db_error()));
        found.extend(
            rows.iter()
                .map(|row| format!("{rule}: {}", row.get::<_, String>(0))),
        );
    }
    found
}

#[tokio::test]
async fn the_schema_keeps_its_walls() {
    let db = Database::migrated().await;
    let client = db.client().await;
    let found = broken(&client).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
    let roles = client
        .query(
            "SELECT FROM pg_roles WHERE rolname IN ('garrison_service', 'garrison_platform')",
            &[],
        )
        .await;
    assert_eq!(roles.expect("roles").len(), 2);
}

/// Each hole is made in a transaction of its own, and found by the rule that is about it.
#[tokio::test]
async fn every_hole_is_found() {
    const LEAK: &str =
        "CREATE TABLE leak (tenant_id int, id int, PRIMARY KEY (tenant_id, id)); SELECT wall_off('leak')";
    let db = Database::migrated().await;
    let client = db.client().await;
    for (hole, rule) in [
        ("CREATE TABLE leak (tenant_id int PRIMARY KEY)", "row security"),
        ("ALTER TABLE alert NO FORCE ROW LEVEL SECURITY", "row security"),
        ("ALTER TABLE machine DISABLE ROW LEVEL SECURITY", "row security"),
        ("CREATE TABLE leak (id int PRIMARY KEY)", "a table without"),
        ("DROP POLICY tenant ON alert", "exactly one restrictive"),
        (
            "ALTER POLICY tenant ON alert USING (true)",
            "exactly one restrictive",
        ),
        (
            "ALTER POLICY tenant ON lane TO garrison_platform",
            "exactly one restrictive",
        ),
        (
            "CREATE POLICY more ON alert AS RESTRICTIVE USING (true)",
            "exactly one restrictive",
        ),
        (
            "CREATE POLICY more ON alert USING (true)",
            "exactly one permissive",
        ),
        ("ALTER POLICY entry ON alert TO PUBLIC", "exactly one permissive"),
        ("CREATE UNIQUE INDEX ON machine (login)", "unique index"),
        (
            "CREATE TABLE leak (tenant_id int); SELECT wall_off('leak')",
            "has a primary key",
        ),
        (
            "LEAK; ALTER TABLE machine ADD UNIQUE (tenant_id, id); ALTER TABLE leak ADD FOREIGN KEY (id) REFERENCES tenant",
            "foreign key",
        ),
        ("GRANT pg_read_all_data TO garrison_service", "special powers"),
        ("ALTER ROLE garrison_platform BYPASSRLS", "special powers"),
        (
            "GRANT CREATE ON SCHEMA public TO garrison_service",
            "special powers",
        ),
        (
            "ALTER TABLE stream_cache OWNER TO garrison_service",
            "own nothing",
        ),
        (
            "GRANT SELECT ON credential TO garrison_service",
            "tables of the platform",
        ),
        (
            "GRANT SELECT (name) ON tenant TO PUBLIC",
            "tables of the platform",
        ),
        (
            "GRANT SELECT (uuid) ON alert TO garrison_platform",
            "garrison_platform reads nothing",
        ),
        ("GRANT TRUNCATE ON lane TO garrison_service", "truncate"),
        (
            "GRANT SELECT ON alert_old TO garrison_service",
            "partitions carry",
        ),
        (
            "CREATE FUNCTION leak() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
            "way round",
        ),
        ("CREATE VIEW leak AS SELECT * FROM alert", "way round"),
        (
            "GRANT EXECUTE ON FUNCTION make_partitions TO garrison_service",
            "way round",
        ),
    ] {
        client.batch_execute("BEGIN").await.expect("begin");
        client
            .batch_execute(&hole.replace("LEAK", LEAK))
            .await
            .unwrap_or_else(|e| panic!("{hole}: {:?}", e.as_db_error()));
        let found = broken(&client).await;
        client.batch_execute("ROLLBACK").await.expect("rollback");
        assert!(
            found.iter().any(|line| line.contains(rule)),
            "{hole}: not found, only {found:?}"
        );
    }
}
