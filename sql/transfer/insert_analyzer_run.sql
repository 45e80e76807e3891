INSERT INTO analyzer_run (tenant_id, analyzer_id, by_hand, started_at, completed_at, error, lines, skipped, detections, decisions,
  refused, truncated, results, pushes)
SELECT $1, r.analyzer_id, r.by_hand, r.started_at, r.completed_at, r.error, r.lines, r.skipped, r.detections, r.decisions,
  r.refused, r.truncated, r.results, r.pushes
FROM json_populate_recordset(NULL::analyzer_run, $2::text::json) AS r
