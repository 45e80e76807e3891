DELETE FROM machine_login WHERE tenant_id = $1 AND machine_id = $2
