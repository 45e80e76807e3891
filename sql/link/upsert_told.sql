-- The allowlists that a machine is told of now.
INSERT INTO link_list (tenant_id, machine_id, kind, list, name)
SELECT $1, $2, 2, t.list, t.name FROM unnest($3::text[], $4::text[]) AS t(list, name)
ON CONFLICT (tenant_id, machine_id, kind, list) DO UPDATE SET name = excluded.name, told_at = now()
