SELECT id AS tenant_id FROM tenant WHERE name = $1 AND removed_at IS NULL
