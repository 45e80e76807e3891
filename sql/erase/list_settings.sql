-- What operators wrote themselves, and how it is called: it is theirs to change.
SELECT 'filter rule ' || r.name AS what, concat_ws(' ', r.name, r.description, r.expression::text) AS text FROM filter_rule r WHERE r.tenant_id = $1
UNION ALL
SELECT 'LAPI server ' || l.name, concat_ws(' ', l.url, l.check_error, l.machine_id) FROM lapi_server l WHERE l.tenant_id = $1
UNION ALL
SELECT 'allowlist ' || a.name, a.description FROM allowlist a WHERE a.tenant_id = $1
UNION ALL
SELECT 'a reason in allowlist ' || a.name, e.reason FROM allowlist_entry e JOIN allowlist a ON a.tenant_id = e.tenant_id AND a.id = e.allowlist_id WHERE e.tenant_id = $1
UNION ALL
SELECT 'feed ' || f.name, f.description FROM feed f WHERE f.tenant_id = $1
UNION ALL
SELECT 'machine ' || m.login, concat_ws(' ', m.name, m.user_agent) FROM machine m WHERE m.tenant_id = $1
UNION ALL
SELECT 'the reason of the decision about ' || d.value, concat_ws(' ', d.reason, d.scenario) FROM decision d WHERE d.tenant_id = $1 AND d.source = 3
UNION ALL
SELECT 'the last error of a delivery', n.last_error FROM lane n WHERE n.tenant_id = $1 AND n.last_error IS NOT NULL
UNION ALL
SELECT 'analyzer ' || y.slug, concat_ws(' ', y.url, y.rule::text) FROM analyzer y WHERE y.tenant_id = $1
