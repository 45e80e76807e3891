DELETE FROM analyzer WHERE tenant_id = $1 AND slug = $2 RETURNING id
