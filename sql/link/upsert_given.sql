-- What a machine is given in its stream.
INSERT INTO link_given AS g (tenant_id, machine_id, value, type, until)
SELECT $1, $2, t.value, t.type, t.until FROM unnest($3::text[], $4::text[], $5::timestamptz[]) AS t(value, type, until)
ORDER BY t.value
ON CONFLICT (tenant_id, machine_id, value) DO UPDATE SET type = excluded.type, until = excluded.until, gone_at = NULL
WHERE g.type <> excluded.type OR g.until <> excluded.until OR g.gone_at IS NOT NULL
