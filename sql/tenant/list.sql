SELECT id, name, forward_enabled, created_at, suspended_at FROM tenant WHERE removed_at IS NULL ORDER BY id
