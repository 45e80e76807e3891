-- The oldest of what a tenant's components counted more than $2 days ago, at most $3 rows; and the components that were
-- not told of since. By an array, not a join: a join of thousands is planned as a scan of the whole table.
WITH gone AS (
  DELETE FROM usage_component WHERE tenant_id = $1 AND last_seen_at < now() - $2::int * interval '1 day')
DELETE FROM usage_metric
WHERE tenant_id = $1 AND id = ANY (ARRAY(
  SELECT id FROM usage_metric
  WHERE tenant_id = $1 AND collected_at < now() - $2::int * interval '1 day'
  ORDER BY collected_at, id LIMIT $3))
