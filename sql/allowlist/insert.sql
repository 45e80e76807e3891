INSERT INTO allowlist (tenant_id, name, description) VALUES ($1, $2, $3)
RETURNING id, name, description, created_at, updated_at, 0::bigint AS entries
