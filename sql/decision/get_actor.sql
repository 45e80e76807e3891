SELECT name FROM api_token WHERE tenant_id = $1 AND id = $2
