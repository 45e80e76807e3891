SELECT id FROM machine WHERE tenant_id = $1 AND login = $2 AND removed_at IS NULL
