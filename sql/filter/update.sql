UPDATE filter_rule SET name = $3, enabled = $4, description = $5, expression = $6, version = $7, updated_at = now()
WHERE tenant_id = $1 AND id = $2
RETURNING id, name, enabled, description, expression, version, created_at, updated_at
