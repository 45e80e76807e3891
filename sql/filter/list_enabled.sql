SELECT id, name, expression FROM filter_rule WHERE tenant_id = $1 AND enabled ORDER BY id
