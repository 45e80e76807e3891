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
known AS MATERIALIZED (
  SELECT id, name FROM stat_name WHERE tenant_id = $1),
-- With numbers for names that only rows mention.
called AS MATERIALIZED (
  SELECT id, name, row_number() OVER (ORDER BY name) AS rank
  FROM (SELECT id, name FROM known
        UNION ALL
        SELECT (m.most + row_number() OVER ())::int, f.name
        FROM (SELECT scenario AS name FROM fresh UNION SELECT country FROM fresh WHERE country IS NOT NULL) f
        CROSS JOIN (SELECT coalesce(max(id), 0) AS most FROM known) m
        WHERE NOT EXISTS (SELECT FROM known k WHERE k.name = f.name)) n),
-- One row a pair. Sums as floats, exact up to 2^53: those of bigints are made in numeric, which takes half as long again.
kept AS (
  SELECT place, scenario, n FROM stat_place WHERE tenant_id = $1 AND span = 0 AND $8::boolean
  UNION ALL
  SELECT place, scenario, sum(n::float8)::bigint
  FROM (SELECT place, scenario, n FROM stat_place WHERE tenant_id = $1 AND span = 1 AND at >= $4 AND at < $5
        UNION ALL
        SELECT place, scenario, n FROM stat_place WHERE tenant_id = $1 AND span = 2 AND at >= $3 AND at < $4
        UNION ALL
        SELECT place, scenario, n FROM stat_place WHERE tenant_id = $1 AND span = 2 AND at >= $5 AND at < $6) p
  WHERE NOT $8::boolean GROUP BY place, scenario),
late AS (
  SELECT place, scenario, sum(n) AS n
  FROM (SELECT f.cell AS place, s.id AS scenario, f.sign AS n FROM fresh f JOIN called s ON s.name = f.scenario WHERE f.cell IS NOT NULL
        UNION ALL
        SELECT -c.id, s.id, f.sign FROM fresh f JOIN called s ON s.name = f.scenario JOIN called c ON c.name = f.country) p
  GROUP BY place, scenario),
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
  SELECT coalesce(k.place, l.place) AS place, coalesce(k.scenario, l.scenario) AS scenario, coalesce(k.n, 0) + coalesce(l.n, 0) AS n
  FROM kept k FULL JOIN late l ON l.place = k.place AND l.scenario = k.scenario),
-- By number: an element of an array is found faster than a row.
rank AS MATERIALIZED (
  SELECT array_agg(coalesce(c.rank, 0)::int ORDER BY i) AS by_id
  FROM generate_series(1, (SELECT max(id) FROM called)) i LEFT JOIN called c ON c.id = i),
-- The most frequent scenario and, of those that are equally so, the first by name, as one number: to sort a hundred
-- thousand pairs takes as long as all the rest.
most AS (
  SELECT place, sum(n)::bigint AS n, 16777215 - (max((n << 24) + 16777215 - (SELECT by_id FROM rank)[scenario]) & 16777215) AS top
  FROM counted WHERE n <> 0 GROUP BY place),
placed AS (
  SELECT m.place < 0 AS of_country, CASE c.name WHEN '' THEN 'Unknown' ELSE c.name END AS code, c.name AS key, m.place AS cell, m.n, t.name AS scenario
  FROM most m JOIN called t ON t.rank = m.top LEFT JOIN called c ON c.id = -m.place),
ranked AS (
  SELECT p.*, row_number() OVER (PARTITION BY of_country ORDER BY n DESC, code, cell) AS place FROM placed p)
SELECT r.of_country, r.code, name.name, CASE WHEN NOT r.of_country THEN r.cell / 1000 - 90 END AS latitude,
       CASE WHEN NOT r.of_country THEN r.cell % 1000 - 180 END AS longitude, r.n, r.scenario
FROM ranked r LEFT JOIN name ON name.key = r.key
WHERE r.place <= $9
ORDER BY r.of_country DESC, r.place
