UPDATE machine SET upstream_token = $3, upstream_token_expires = $4, scenarios = $5, last_seen_at = now()
WHERE tenant_id = $1 AND id = $2
