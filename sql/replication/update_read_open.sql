UPDATE lapi_sync SET read_open = true WHERE tenant_id = $1 AND server_id = $2
