-- A source that is gone says nothing any more; the keys.
WITH gone AS (
  DELETE FROM decision WHERE tenant_id = $1 AND source = $2 AND source_id = $3
  RETURNING key, source, source_id, origin, scope, value, type, scenario, until),
told AS (
  INSERT INTO event (tenant_id, kind, detail)
  SELECT $1, 14, jsonb_agg(to_jsonb(g) - 'part')
  FROM (SELECT gone.*, row_number() OVER () / 100 AS part FROM gone) g GROUP BY part)
SELECT key FROM gone
