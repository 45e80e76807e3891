INSERT INTO session (id, person_id, token_tenant, token_id, chosen, expires_at, issuer, subject, provider_sid)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7, $8, $9) RETURNING expires_at
