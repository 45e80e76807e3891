SELECT machine_id, kind, name, type FROM usage_component WHERE tenant_id = $1 AND kind IN (1, 2)
ORDER BY machine_id, kind, name LIMIT 100000
