UPDATE tenant SET name = $2, removed_at = NULL WHERE id = $1 AND removed_at IS NOT NULL
