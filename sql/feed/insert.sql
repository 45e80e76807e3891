-- A new feed; no row when the tenant has as many as it may.
INSERT INTO feed (tenant_id, name, description, origins, types, scenarios, family, aggregate, max_entries)
SELECT $1, $3, $4, $5, $6, $7, $8, $9, $10
WHERE (SELECT count(*) FROM feed WHERE tenant_id = $1) < $2::bigint
RETURNING id, name, description, origins, types, scenarios, family, aggregate, max_entries, created_at
