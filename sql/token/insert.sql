INSERT INTO api_token (tenant_id, name, hash, last4, scope, expires_at, scopes, networks, created_by, rotated_from)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id, created_at
