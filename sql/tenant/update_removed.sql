UPDATE tenant SET removed_at = now() WHERE id = $1 AND removed_at IS NULL
