DELETE FROM link_given l USING unnest($2::bigint[], $3::text[]) AS g(machine_id, value)
WHERE l.tenant_id = $1 AND l.machine_id = g.machine_id AND l.value = g.value
