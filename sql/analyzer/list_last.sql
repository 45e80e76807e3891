-- The last run of each, without what it found one by one.
SELECT DISTINCT ON (r.analyzer_id) r.id, r.analyzer_id, r.by_hand, r.started_at, r.completed_at, r.error, r.lines, r.skipped, r.detections, r.decisions, r.refused,
       r.truncated, r.pushes
FROM analyzer_run r
WHERE r.tenant_id = $1 AND ($2::bigint IS NULL OR r.analyzer_id = $2)
ORDER BY r.analyzer_id, r.id DESC
