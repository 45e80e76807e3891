-- A source said all it has: what is not in it goes; the keys. Of several decisions about the same a server tells the longest
-- one alone: behind one of CAPI's or of ours ($6) its own may still stand, and stays until its end.
WITH gone AS (
  DELETE FROM decision d
  WHERE d.tenant_id = $1 AND d.source = $2 AND d.source_id = $3
    AND NOT EXISTS (SELECT FROM unnest($4::uuid[], $5::text[]) AS said(key, origin) WHERE said.key = d.key AND said.origin = d.origin)
    AND NOT EXISTS (SELECT FROM unnest($6::uuid[]) AS hidden(key) WHERE hidden.key = d.key)
  RETURNING d.key, d.source, d.source_id, d.origin, d.scope, d.value, d.type, d.scenario, d.until),
told AS (
  INSERT INTO event (tenant_id, kind, detail)
  SELECT $1, 14, jsonb_agg(to_jsonb(g) - 'part')
  FROM (SELECT gone.*, row_number() OVER () / 100 AS part FROM gone) g GROUP BY part)
SELECT key FROM gone
