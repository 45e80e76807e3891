DELETE FROM lapi_server WHERE tenant_id = $1 AND name = $2 RETURNING id
