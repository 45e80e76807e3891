SELECT id, email, name, role, created_by, created_at, expires_at FROM invitation
WHERE tenant_id = $1 AND accepted_at IS NULL AND expires_at > now() ORDER BY id
