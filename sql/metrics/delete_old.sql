-- The oldest of what a tenant's components counted more than $2 days ago, at most $3 rows; and the components that were
-- not told of since.
WITH gone AS (
  DELETE FROM usage_component WHERE tenant_id = $1 AND last_seen_at < now() - $2::int * interval '1 day')
DELETE FROM usage_metric u
USING (SELECT tenant_id, id FROM usage_metric
       WHERE tenant_id = $1 AND collected_at < now() - $2::int * interval '1 day'
       ORDER BY collected_at, id LIMIT $3) old
WHERE u.tenant_id = $1 AND u.tenant_id = old.tenant_id AND u.id = old.id
