-- The allowlists that a machine was told of.
SELECT list, name, told_at FROM link_list WHERE tenant_id = $1 AND machine_id = $2 AND kind = 2 ORDER BY list
