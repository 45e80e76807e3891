-- A machine and the lane by which its alerts leave.
WITH new AS (
  INSERT INTO machine (tenant_id, login, kind, name, password_hash, upstream_login, upstream_password, upstream_registered, user_agent)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  ON CONFLICT (tenant_id, login) WHERE removed_at IS NULL DO NOTHING
  RETURNING id),
way AS (
  INSERT INTO lane (tenant_id, topic, subject_id) SELECT $1, 1, id FROM new)
SELECT id FROM new
