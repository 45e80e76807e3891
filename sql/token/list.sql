SELECT id, name, last4, scope, created_at, expires_at, last_used_at, revoked_at FROM api_token WHERE tenant_id = $1 ORDER BY id
