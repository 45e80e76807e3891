SELECT startup_owed FROM machine WHERE tenant_id = $1 AND id = $2
