WITH logins AS (DELETE FROM machine_login WHERE tenant_id = $1)
DELETE FROM credential WHERE tenant_id = $1
