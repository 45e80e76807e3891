-- Codes are asked for from now on; every session but this one ends.
WITH ended AS (UPDATE session SET revoked_at = now() WHERE person_id = $1 AND id IS DISTINCT FROM $4 AND revoked_at IS NULL)
UPDATE person SET totp = $2, totp_pending = NULL, totp_step = $3 WHERE id = $1
