-- As list_alerts.sql for a question that only says when: whole hours and days from their counts, what is not folded yet,
-- and the rows at the edges, which share an hour with what is not asked for. $2 since, $3 the first whole hour, $4 the
-- first whole day, $5 the end of the last whole day, $6 the end of the last whole hour, $7 until, not included, $10
-- whether that is all of them.
WITH edge AS MATERIALIZED (
  SELECT received_at AS at, filtered, forwarded_at, scenario, geo_country_code AS country, geo_country_name AS name
  FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $2 AND received_at < $3
  UNION ALL
  SELECT received_at, filtered, forwarded_at, scenario, geo_country_code, geo_country_name
  FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $6 AND received_at < $7),
fresh AS MATERIALIZED (
  SELECT at, sign, filtered, forwarded, scenario, country, country_name FROM stat_delta
  WHERE tenant_id = $1 AND at >= $3 AND at < $6),
total AS (
  SELECT at, alerts AS n, filtered, forwarded FROM stat_total WHERE tenant_id = $1 AND at >= $3 AND at < $6
  UNION ALL SELECT at, sign * cardinality(scenario), filtered, forwarded FROM fresh
  UNION ALL SELECT at, 1, filtered::int, (forwarded_at IS NOT NULL)::int FROM edge),
part AS (
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (1, 2) AND span = 0 AND $10::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (1, 2) AND span = 1 AND at >= $4 AND at < $5 AND NOT $10::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (1, 2) AND span = 2 AND at >= $3 AND at < $4 AND NOT $10::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (1, 2) AND span = 2 AND at >= $5 AND at < $6 AND NOT $10::boolean
  UNION ALL
  SELECT 1, s.scenario, '', f.sign FROM fresh f CROSS JOIN LATERAL unnest(f.scenario) AS s(scenario)
  UNION ALL
  SELECT 2, c.country, coalesce(c.name, ''), f.sign FROM fresh f CROSS JOIN LATERAL unnest(f.country, f.country_name) AS c(country, name)
  WHERE c.country IS NOT NULL
  UNION ALL SELECT 1, scenario, '', 1 FROM edge
  UNION ALL SELECT 2, country, coalesce(name, ''), 1 FROM edge WHERE country IS NOT NULL),
charts AS (
  SELECT CASE WHEN grouping(weekday) = 0 THEN 1 WHEN grouping(hour) = 0 THEN 2 WHEN grouping(day) = 0 THEN 3 ELSE 0 END AS chart,
         coalesce(weekday::text, hour::text, to_char(day, 'YYYY-MM-DD')) AS label, NULL AS name,
         sum(n) AS n, sum(filtered) AS filtered, sum(forwarded) AS forwarded
  FROM (SELECT extract(dow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour, local::date AS day, n, filtered, forwarded
        FROM (SELECT date_trunc('hour', at AT TIME ZONE $8::text) AS local, sum(n) AS n, sum(filtered) AS filtered, sum(forwarded) AS forwarded
              FROM total GROUP BY 1) t) t
  GROUP BY GROUPING SETS ((), (weekday), (hour), (day)) HAVING sum(n) <> 0
  UNION ALL
  SELECT dim + 3, CASE WHEN dim = 2 AND key = '' THEN 'Unknown' ELSE key END, max(sub), sum(n), 0, 0
  FROM (SELECT dim, key, sub, sum(n) AS n FROM part GROUP BY dim, key, sub HAVING sum(n) <> 0) p
  GROUP BY 1, 2)
SELECT chart, label, name, n::bigint AS n, filtered::bigint AS filtered, forwarded::bigint AS forwarded,
       CASE WHEN chart = 0 THEN (SELECT min(received_at) FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $2 AND received_at < $7) END AS first,
       CASE WHEN chart = 0 THEN (SELECT max(received_at) FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $2 AND received_at < $7) END AS last
FROM (SELECT c.*, row_number() OVER (PARTITION BY chart ORDER BY n DESC, label) AS place FROM charts c) r
WHERE chart < 4 OR place <= $9
ORDER BY chart, place
