SELECT content_type, body, extract(epoch FROM now() - fetched_at)::bigint AS age
FROM stream_cache WHERE tenant_id = $1 AND machine_id = $2 AND target = $3
