DELETE FROM lapi_copy WHERE tenant_id = $1 AND server_id = $2 AND key = ANY ($3::uuid[])
