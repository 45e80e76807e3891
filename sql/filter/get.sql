SELECT id, name, enabled, description, expression, version, created_at, updated_at FROM filter_rule WHERE tenant_id = $1 AND id = $2
