-- A new password; every session but this one ends.
WITH ended AS (UPDATE session SET revoked_at = now() WHERE person_id = $1 AND id IS DISTINCT FROM $3 AND revoked_at IS NULL)
UPDATE person SET password_hash = $2, password_changed_at = now(), reset_hash = NULL, reset_until = NULL WHERE id = $1
