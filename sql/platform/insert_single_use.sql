-- No row when it was used before.
INSERT INTO single_use (key, expires_at) VALUES ($1, now() + make_interval(secs => $2)) ON CONFLICT DO NOTHING RETURNING expires_at
