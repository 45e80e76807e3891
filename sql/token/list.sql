SELECT id, name, last4, scope, scopes, networks, created_by, created_at, expires_at, last_used_at, revoked_at, rotated_from
FROM api_token WHERE tenant_id = $1 ORDER BY id
