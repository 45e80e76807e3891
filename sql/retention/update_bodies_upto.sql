UPDATE sweep SET bodies_upto = $3 WHERE tenant_id = $1 AND owner = $2
