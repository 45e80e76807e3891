DELETE FROM analyzer_mark m USING unnest($2::bigint[], $3::text[]) AS g(analyzer_id, value)
WHERE m.tenant_id = $1 AND m.analyzer_id = g.analyzer_id AND m.value = g.value
