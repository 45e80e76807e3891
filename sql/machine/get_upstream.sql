SELECT login, upstream_login, upstream_password, upstream_registered, upstream_token, upstream_token_expires,
       scenarios, user_agent
FROM machine WHERE tenant_id = $1 AND id = $2
