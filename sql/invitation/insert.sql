INSERT INTO invitation (tenant_id, email, name, role, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) RETURNING id, expires_at
