-- Lifts everything that is said with these keys: a server's own is marked until it is lifted there, the rest goes.
WITH mine AS (
  DELETE FROM decision WHERE tenant_id = $1 AND key = ANY ($2::uuid[]) AND source <> 2
  RETURNING key, source, source_id, origin, scope, value, type, scenario, until),
theirs AS (
  UPDATE decision SET lifted_at = now() WHERE tenant_id = $1 AND key = ANY ($2::uuid[]) AND source = 2 AND lifted_at IS NULL
  RETURNING key, source, source_id, origin, scope, value, type, scenario, until),
lifted AS (SELECT * FROM mine UNION ALL SELECT * FROM theirs),
told AS (
  INSERT INTO event (tenant_id, kind, detail)
  SELECT $1, 13, jsonb_agg(to_jsonb(g) - 'part')
  FROM (SELECT lifted.*, row_number() OVER () / 100 AS part FROM lifted) g GROUP BY part)
SELECT DISTINCT key FROM lifted
