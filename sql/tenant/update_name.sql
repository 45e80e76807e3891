UPDATE tenant SET name = $2 WHERE id = $1 AND removed_at IS NULL
