SELECT id, email, name, role FROM invitation WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND expires_at > now()
