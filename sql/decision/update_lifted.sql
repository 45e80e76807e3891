-- Lifts everything that is said with these keys: a server's own is marked until it is lifted there, the rest goes.
WITH mine AS (
  DELETE FROM decision WHERE tenant_id = $1 AND key = ANY ($2::uuid[]) AND source <> 2 RETURNING key),
theirs AS (
  UPDATE decision SET lifted_at = now() WHERE tenant_id = $1 AND key = ANY ($2::uuid[]) AND source = 2 AND lifted_at IS NULL
  RETURNING key)
SELECT key FROM mine UNION SELECT key FROM theirs
