UPDATE tenant SET forward_enabled = $2 WHERE id = $1 AND removed_at IS NULL
