SELECT id, name, forward_enabled, created_at, suspended_at FROM tenant WHERE id = $1 AND removed_at IS NULL
