INSERT INTO analyzer (tenant_id, slug, rule, url, token, enabled, counts_from, version, created_at, updated_at)
SELECT $1, r.slug, r.rule, r.url, r.token, r.enabled, r.counts_from, r.version, r.created_at, r.updated_at
FROM json_populate_recordset(NULL::analyzer, $2::text::json) AS r
RETURNING id
