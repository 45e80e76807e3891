-- What of the set overlaps new entries: what begins within one ($2 to $3), and ranges that begin before one and reach
-- it ($4 are the first addresses of all ranges that could, $5 what each must reach). The keys of all, newest first,
-- and the rest of the first $6.
WITH hit AS (
  SELECT d.key, d.source, d.source_id, d.origin, d.scope, d.value, d.type, d.scenario, d.until, d.since
  FROM unnest($2::inet[], $3::inet[]) AS n(lo, hi) JOIN decision d ON d.lo >= n.lo AND d.lo <= n.hi
  WHERE d.tenant_id = $1 AND d.until > now() AND d.lifted_at IS NULL
  UNION
  SELECT d.key, d.source, d.source_id, d.origin, d.scope, d.value, d.type, d.scenario, d.until, d.since
  FROM unnest($4::inet[], $5::inet[]) AS w(lo, first) JOIN decision d ON d.lo = w.lo AND d.lo <> d.hi AND d.hi >= w.first
  WHERE d.tenant_id = $1 AND d.until > now() AND d.lifted_at IS NULL),
told AS (
  SELECT *, row_number() OVER (ORDER BY since DESC, key, source, source_id, origin) AS place FROM hit)
SELECT t.key, t.place <= $6 AS is_told, t.source, t.source_id, CASE WHEN t.place <= $6 THEN t.value END AS value,
  CASE WHEN t.place <= $6 THEN t.scope END AS scope, CASE WHEN t.place <= $6 THEN t.type END AS type,
  CASE WHEN t.place <= $6 THEN t.origin END AS origin, CASE WHEN t.place <= $6 THEN t.scenario END AS scenario,
  t.until, l.name AS server, m.login AS machine
FROM told t
LEFT JOIN lapi_server l ON l.tenant_id = $1 AND l.id = t.source_id AND t.source = 2 AND t.place <= $6
LEFT JOIN machine m ON m.tenant_id = $1 AND m.id = t.source_id AND t.source = 1 AND t.place <= $6
ORDER BY t.place
