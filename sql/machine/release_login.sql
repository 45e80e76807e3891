UPDATE machine SET upstream_login_until = '-infinity' WHERE tenant_id = $1 AND id = $2
