WITH ended AS (UPDATE session SET revoked_at = now() WHERE person_id = $1 AND revoked_at IS NULL AND $2::boolean)
UPDATE person SET disabled_at = CASE WHEN $2::boolean THEN coalesce(disabled_at, now()) END WHERE id = $1
