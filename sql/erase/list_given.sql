SELECT g.machine_id, g.value FROM link_given g
WHERE g.tenant_id = $1 AND (g.machine_id, g.value) > ($2, $3) ORDER BY g.machine_id, g.value LIMIT $4
