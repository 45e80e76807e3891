UPDATE invitation SET accepted_at = now() WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND expires_at > now()
