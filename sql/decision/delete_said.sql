-- What a source does not say any more; the keys. Only what it said with these origins.
WITH gone AS (
  DELETE FROM decision d USING unnest($4::uuid[], $5::text[]) AS u(key, origin)
  WHERE d.tenant_id = $1 AND d.source = $2 AND d.source_id = $3 AND d.key = u.key AND d.origin = u.origin
  RETURNING d.key, d.source, d.source_id, d.origin, d.scope, d.value, d.type, d.scenario, d.until),
told AS (
  INSERT INTO event (tenant_id, kind, detail)
  SELECT $1, 14, jsonb_agg(to_jsonb(g) - 'part')
  FROM (SELECT gone.*, row_number() OVER () / 100 AS part FROM gone) g GROUP BY part)
SELECT key FROM gone
