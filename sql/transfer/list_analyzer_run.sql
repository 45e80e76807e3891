SELECT row_to_json(r)::text AS row
FROM (SELECT analyzer_id, by_hand, started_at, completed_at, error, lines, skipped, detections, decisions, refused,
  truncated, results, pushes
  FROM analyzer_run WHERE tenant_id = $1 ORDER BY id) r
