SELECT c.server_id, c.key, c.value FROM lapi_copy c
WHERE c.tenant_id = $1 AND (c.server_id, c.key) > ($2, $3) ORDER BY c.server_id, c.key LIMIT $4
