INSERT INTO session (id, person_id, token_tenant, token_id, chosen, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) RETURNING expires_at
