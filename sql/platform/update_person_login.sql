-- A login; no row when the code of this step, or a later one, was used before.
UPDATE person SET last_login_at = now(), totp_step = coalesce($2, totp_step)
WHERE id = $1 AND disabled_at IS NULL AND ($2::bigint IS NULL OR totp_step < $2) RETURNING id
