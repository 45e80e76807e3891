SELECT m.analyzer_id, m.value FROM analyzer_mark m
WHERE m.tenant_id = $1 AND (m.analyzer_id, m.value) > ($2, $3) ORDER BY m.analyzer_id, m.value LIMIT $4
