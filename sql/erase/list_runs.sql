SELECT r.id, concat_ws(' ', r.results::text, r.pushes::text, r.error) AS text FROM analyzer_run r
WHERE r.tenant_id = $1 AND r.id > $2 ORDER BY r.id LIMIT $3
