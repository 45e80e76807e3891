-- An engine lifted decisions that it signalled: they are said no more, and the servers that have copies are told.
WITH gone AS (
  DELETE FROM decision WHERE tenant_id = $1 AND source = 1 AND source_id = $2 AND uuid = ANY ($3::text[])
  RETURNING key, source, source_id, origin, scope, value, type, scenario, until),
told AS (
  INSERT INTO event (tenant_id, kind, detail)
  SELECT $1, 14, jsonb_agg(to_jsonb(g) - 'part')
  FROM (SELECT gone.*, row_number() OVER () / 100 AS part FROM gone) g GROUP BY part),
parts AS (
  SELECT array_agg(key) AS keys FROM (SELECT key, (row_number() OVER (ORDER BY key) - 1) / 50 AS part
    FROM (SELECT DISTINCT key FROM gone) g) p GROUP BY part)
INSERT INTO outbox (tenant_id, topic, subject_id, keys)
SELECT $1, 2, l.id, p.keys FROM lapi_server l, parts p
WHERE l.tenant_id = $1 AND l.machine_id IS NOT NULL AND l.replicate_decisions
