INSERT INTO person (email, name, password_hash, password_changed_at, is_platform_admin)
VALUES ($1, $2, $3, CASE WHEN $3::text IS NOT NULL THEN now() END, $4)
ON CONFLICT (email) DO NOTHING RETURNING id
