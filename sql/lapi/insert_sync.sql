-- A new server is read and written at once.
WITH y AS (INSERT INTO lapi_sync (tenant_id, server_id) VALUES ($1, $2) ON CONFLICT DO NOTHING)
INSERT INTO lane (tenant_id, topic, subject_id, due_at) VALUES ($1, 2, $2, now()), ($1, 3, $2, now())
ON CONFLICT DO NOTHING
