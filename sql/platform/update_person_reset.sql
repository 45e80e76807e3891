-- A text that sets a new password once; the password before and every session end now.
WITH ended AS (UPDATE session SET revoked_at = now() WHERE person_id = $1 AND revoked_at IS NULL)
UPDATE person SET password_hash = NULL, reset_hash = $2, reset_until = now() + make_interval(secs => $3)
WHERE id = $1 AND disabled_at IS NULL RETURNING reset_until
