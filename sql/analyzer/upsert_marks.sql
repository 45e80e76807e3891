INSERT INTO analyzer_mark AS m (tenant_id, analyzer_id, value, acted_ns)
SELECT $1, $2, s.value, s.ns FROM unnest($3::text[], $4::bigint[]) AS s(value, ns) ORDER BY s.value
ON CONFLICT (tenant_id, analyzer_id, value) DO UPDATE SET acted_ns = greatest(m.acted_ns, excluded.acted_ns)
