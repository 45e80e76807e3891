SELECT forward_enabled FROM tenant WHERE id = $1 AND removed_at IS NULL
