-- A source said all it has: what is not in it goes; the keys.
DELETE FROM decision d
WHERE d.tenant_id = $1 AND d.source = $2 AND d.source_id = $3
  AND NOT EXISTS (SELECT FROM unnest($4::uuid[], $5::text[]) AS said(key, origin) WHERE said.key = d.key AND said.origin = d.origin)
RETURNING d.key
