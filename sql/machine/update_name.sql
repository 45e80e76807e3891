UPDATE machine SET name = $3 WHERE tenant_id = $1 AND id = $2
