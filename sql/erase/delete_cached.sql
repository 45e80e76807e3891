DELETE FROM stream_cache WHERE tenant_id = $1 AND machine_id = $2 AND target = $3
