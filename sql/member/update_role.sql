UPDATE membership SET role = $3 WHERE tenant_id = $1 AND person_id = $2
