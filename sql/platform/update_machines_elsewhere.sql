-- Machines whose login belongs to another one.
UPDATE machine m SET removed_at = now()
WHERE m.tenant_id = $1 AND m.removed_at IS NULL
  AND NOT EXISTS (SELECT FROM machine_login l WHERE l.login = m.login AND l.tenant_id = m.tenant_id AND l.machine_id = m.id)
RETURNING m.login
