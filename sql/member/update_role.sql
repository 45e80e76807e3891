UPDATE membership SET role = $3, origin = 1 WHERE tenant_id = $1 AND person_id = $2
