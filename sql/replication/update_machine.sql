-- A server that tells a decision by the same name (uuid) as an engine's signal did is that engine. What the engine
-- signalled is the server's own from now on, and its stream is the truth about it; the keys.
WITH same AS (
  SELECT d.source_id AS machine_id FROM decision d, unnest($3::uuid[], $4::text[]) AS s(key, uuid)
  WHERE d.tenant_id = $1 AND d.source = 1 AND d.key = s.key AND d.uuid = s.uuid LIMIT 1),
known AS (
  UPDATE lapi_sync y SET machine_id = s.machine_id FROM same s WHERE y.tenant_id = $1 AND y.server_id = $2 RETURNING y.machine_id),
gone AS (
  DELETE FROM decision d USING known k WHERE d.tenant_id = $1 AND d.source = 1 AND d.source_id = k.machine_id
  RETURNING d.key, d.source, d.source_id, d.origin, d.scope, d.value, d.type, d.scenario, d.until),
told AS (
  INSERT INTO event (tenant_id, kind, detail)
  SELECT $1, 14, jsonb_agg(to_jsonb(g) - 'part')
  FROM (SELECT gone.*, row_number() OVER () / 100 AS part FROM gone) g GROUP BY part)
SELECT key FROM gone
