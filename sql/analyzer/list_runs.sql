-- The newest first, as far as they are kept.
SELECT r.id, r.analyzer_id, r.by_hand, r.started_at, r.completed_at, r.error, r.lines, r.skipped, r.detections, r.decisions, r.refused,
       r.truncated, r.results, r.pushes
FROM analyzer_run r
WHERE r.tenant_id = $1 AND r.analyzer_id = $2 AND r.started_at > now() - make_interval(days => $4)
ORDER BY r.id DESC LIMIT $3
