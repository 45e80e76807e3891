INSERT INTO allowlist (tenant_id, name, description, created_at, updated_at)
SELECT $1, r.name, r.description, r.created_at, r.updated_at
FROM json_populate_recordset(NULL::allowlist, $2::text::json) AS r
RETURNING id
