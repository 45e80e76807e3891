SELECT a.key FROM alert a WHERE a.tenant_id = $1 ORDER BY a.key LIMIT $2
