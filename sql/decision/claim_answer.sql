-- A key that is new, or whose first request died before it answered.
INSERT INTO idempotent_answer AS a (tenant_id, key, request) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, key) DO UPDATE SET created_at = now()
WHERE a.request = excluded.request AND a.status IS NULL AND a.created_at < now() - interval '1 minute'
RETURNING key
