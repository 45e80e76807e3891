SELECT s.body FROM stream_cache s WHERE s.tenant_id = $1 AND s.machine_id = $2 AND s.target = $3
