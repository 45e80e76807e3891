UPDATE tenant SET suspended_at = CASE WHEN $2::boolean THEN coalesce(suspended_at, now()) END WHERE id = $1 AND removed_at IS NULL
