INSERT INTO filter_set (tenant_id, mode, version, updated_at)
SELECT $1, r.mode, r.version, r.updated_at
FROM json_populate_recordset(NULL::filter_set, $2::text::json) AS r
ON CONFLICT DO NOTHING
