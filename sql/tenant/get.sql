SELECT id, forward_enabled FROM tenant WHERE name = $1 AND removed_at IS NULL
