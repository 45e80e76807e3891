INSERT INTO api_token (tenant_id, name, hash, last4, scope, expires_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
