-- As list_places.sql for a question that only says when; times as in list_rolled_alerts.sql, but six hours for one.
-- $8 is whether that is all of them.
WITH edge AS MATERIALIZED (
  SELECT scenario, geo_country_code AS country, geo_country_name AS name, stat_cell(geo_latitude, geo_longitude) AS cell
  FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $2 AND received_at < $3
  UNION ALL
  SELECT scenario, geo_country_code, geo_country_name, stat_cell(geo_latitude, geo_longitude)
  FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $6 AND received_at < $7),
fresh AS MATERIALIZED (
  SELECT f.sign, a.scenario, a.country, a.name, a.cell
  FROM stat_delta f CROSS JOIN LATERAL unnest(f.scenario, f.country, f.country_name, f.cell) AS a(scenario, country, name, cell)
  WHERE f.tenant_id = $1 AND f.at >= $3 AND f.at < $6
  UNION ALL SELECT 1, scenario, country, name, cell FROM edge),
pair AS (
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (6, 7) AND span = 0 AND $8::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (6, 7) AND span = 1 AND at >= $4 AND at < $5 AND NOT $8::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (6, 7) AND span = 2 AND at >= $3 AND at < $4 AND NOT $8::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (6, 7) AND span = 2 AND at >= $5 AND at < $6 AND NOT $8::boolean
  UNION ALL SELECT 6, country, scenario, sign FROM fresh WHERE country IS NOT NULL
  UNION ALL SELECT 7, cell::text, scenario, sign FROM fresh WHERE cell IS NOT NULL),
named AS (
  SELECT key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim = 2 AND span = 0 AND $8::boolean
  UNION ALL
  SELECT key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim = 2 AND span = 1 AND at >= $4 AND at < $5 AND NOT $8::boolean
  UNION ALL
  SELECT key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim = 2 AND span = 2 AND at >= $3 AND at < $4 AND NOT $8::boolean
  UNION ALL
  SELECT key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim = 2 AND span = 2 AND at >= $5 AND at < $6 AND NOT $8::boolean
  UNION ALL SELECT country, coalesce(name, ''), sign FROM fresh WHERE country IS NOT NULL),
name AS (
  SELECT key, max(sub) AS name FROM (SELECT key, sub FROM named GROUP BY key, sub HAVING sum(n) <> 0) k GROUP BY key),
counted AS (
  SELECT dim, key, sub, sum(n) AS n FROM pair GROUP BY dim, key, sub HAVING sum(n) <> 0),
-- Two sums instead of a sort: of a hundred thousand pairs that is half of the time.
most AS (
  SELECT dim, key, sum(n) AS n, max(n) AS most FROM counted GROUP BY dim, key),
place AS (
  SELECT m.dim, m.key, m.n, min(c.sub) AS scenario
  FROM most m JOIN counted c ON c.dim = m.dim AND c.key = m.key AND c.n = m.most
  GROUP BY m.dim, m.key, m.n),
ranked AS (
  SELECT p.*, row_number() OVER (PARTITION BY dim ORDER BY n DESC, CASE WHEN dim = 6 THEN CASE key WHEN '' THEN 'Unknown' ELSE key END END,
    CASE WHEN dim = 7 THEN key::int END) AS place FROM place p)
SELECT r.dim = 6 AS of_country, CASE WHEN r.dim = 6 THEN CASE r.key WHEN '' THEN 'Unknown' ELSE r.key END END AS code, name.name,
       CASE WHEN r.dim = 7 THEN r.key::int / 1000 - 90 END AS latitude, CASE WHEN r.dim = 7 THEN r.key::int % 1000 - 180 END AS longitude,
       r.n::bigint AS n, r.scenario
FROM ranked r LEFT JOIN name ON r.dim = 6 AND name.key = r.key
WHERE r.place <= $9
ORDER BY r.dim, r.place
