SELECT id AS tenant_id, name FROM tenant WHERE name = ANY($1) AND removed_at IS NULL ORDER BY id
