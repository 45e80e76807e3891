INSERT INTO analyzer_run (tenant_id, analyzer_id, by_hand, started_at, error, lines, skipped, detections, decisions, refused, truncated, results, pushes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
RETURNING id, completed_at
