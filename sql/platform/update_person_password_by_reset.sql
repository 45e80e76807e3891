WITH found AS (
  UPDATE person SET password_hash = $2, password_changed_at = now(), reset_hash = NULL, reset_until = NULL
  WHERE reset_hash = $1 AND reset_until > now() AND disabled_at IS NULL RETURNING id),
ended AS (
  UPDATE session s SET revoked_at = now() FROM found f WHERE s.person_id = f.id AND s.revoked_at IS NULL)
SELECT id FROM found
