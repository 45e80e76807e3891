INSERT INTO feed (tenant_id, name, description, origins, types, scenarios, family, aggregate, max_entries, created_at)
SELECT $1, r.name, r.description, r.origins, r.types, r.scenarios, r.family, r.aggregate, r.max_entries, r.created_at
FROM json_populate_recordset(NULL::feed, $2::text::json) AS r
