SELECT read_open, read_at, full_at, session_at, write_open, compared_at, skew_ms, machine_id, now() AS at
FROM lapi_sync WHERE tenant_id = $1 AND server_id = $2
