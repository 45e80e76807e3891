UPDATE geo_pass SET before_at = $2, before_id = $3, examined = examined + $4, changed = changed + $5,
  finished_at = CASE WHEN $6::boolean THEN now() END
WHERE tenant_id = $1 AND finished_at IS NULL
RETURNING examined, changed
