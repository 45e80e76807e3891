-- Everything that goes along when a machine moves to another tenant; two moves at once take turns.
SELECT login, kind, name, password_hash, upstream_login, upstream_password, upstream_registered, upstream_token,
       upstream_token_expires, scenarios, user_agent
FROM machine WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL
FOR UPDATE
