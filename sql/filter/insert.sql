INSERT INTO filter_rule (tenant_id, name, enabled, description, expression, version) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id, name, enabled, description, expression, version, created_at, updated_at
