UPDATE machine SET scenarios = $3, user_agent = coalesce($4, user_agent), last_seen_at = now() WHERE tenant_id = $1 AND id = $2
