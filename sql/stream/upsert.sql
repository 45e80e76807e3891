INSERT INTO stream_cache (tenant_id, machine_id, target, content_type, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, machine_id, target) DO UPDATE SET fetched_at = now(), content_type = excluded.content_type, body = excluded.body
