DELETE FROM feed WHERE tenant_id = $1 AND id = $2
