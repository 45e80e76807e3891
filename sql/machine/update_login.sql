-- What a login that CAPI accepted tells: the password that works, the token, who asked.
UPDATE machine SET upstream_password = $3, upstream_token = $4, upstream_token_expires = $5, upstream_registered = true,
  scenarios = $6, user_agent = coalesce($7, user_agent), last_seen_at = now()
WHERE tenant_id = $1 AND id = $2
