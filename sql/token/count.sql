SELECT count(*) AS tokens FROM api_token WHERE tenant_id = $1
