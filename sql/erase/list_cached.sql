SELECT s.machine_id, s.target FROM stream_cache s WHERE s.tenant_id = $1
