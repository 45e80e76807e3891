INSERT INTO filter_rule (tenant_id, name, enabled, description, expression, version, created_at, updated_at)
SELECT $1, r.name, r.enabled, r.description, r.expression, r.version, r.created_at, r.updated_at
FROM json_populate_recordset(NULL::filter_rule, $2::text::json) AS r
RETURNING id
