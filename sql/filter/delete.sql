DELETE FROM filter_rule WHERE tenant_id = $1 AND id = $2
