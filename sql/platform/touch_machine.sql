UPDATE machine SET last_seen_at = now() WHERE tenant_id = $1 AND id = $2
