-- As list_decisions.sql for a question that only says when; times as in list_rolled_alerts.sql.
WITH edge AS MATERIALIZED (
  SELECT a.received_at AS at, a.geo_country_code AS country, a.geo_country_name AS name, d.scenario, stat_length(d.duration_ms) AS length
  FROM alert a JOIN alert_decision d ON d.tenant_id = a.tenant_id AND d.alert_key = a.key
  WHERE a.tenant_id = $1 AND d.tenant_id = $1 AND NOT a.local_audit AND a.received_at >= $2 AND a.received_at < $3
  UNION ALL
  SELECT a.received_at, a.geo_country_code, a.geo_country_name, d.scenario, stat_length(d.duration_ms)
  FROM alert a JOIN alert_decision d ON d.tenant_id = a.tenant_id AND d.alert_key = a.key
  WHERE a.tenant_id = $1 AND d.tenant_id = $1 AND NOT a.local_audit AND a.received_at >= $6 AND a.received_at < $7),
fresh AS MATERIALIZED (
  SELECT at, sign, decision_scenario, decision_length, decision_country, decision_name FROM stat_delta
  WHERE tenant_id = $1 AND at >= $3 AND at < $6 AND cardinality(decision_length) > 0),
total AS (
  SELECT at, decisions AS n FROM stat_total WHERE tenant_id = $1 AND at >= $3 AND at < $6
  UNION ALL SELECT at, sign * cardinality(decision_length) FROM fresh
  UNION ALL SELECT at, 1 FROM edge),
part AS (
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (3, 4, 5) AND span = 0 AND $10::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (3, 4, 5) AND span = 1 AND at >= $4 AND at < $5 AND NOT $10::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (3, 4, 5) AND span = 2 AND at >= $3 AND at < $4 AND NOT $10::boolean
  UNION ALL
  SELECT dim, key, sub, n FROM stat_count WHERE tenant_id = $1 AND dim IN (3, 4, 5) AND span = 2 AND at >= $5 AND at < $6 AND NOT $10::boolean
  UNION ALL
  SELECT v.dim, v.key, v.sub, s.sign
  FROM (SELECT f.sign, d.scenario, d.length, d.country, d.name
        FROM fresh f CROSS JOIN LATERAL unnest(f.decision_scenario, f.decision_length, f.decision_country, f.decision_name)
          AS d(scenario, length, country, name)
        UNION ALL SELECT 1, scenario, length, country, name FROM edge) s
  CROSS JOIN LATERAL (VALUES (3, s.scenario, ''), (4, s.country, coalesce(s.name, '')), (5, s.length::text, '')) AS v(dim, key, sub)
  WHERE v.key IS NOT NULL),
charts AS (
  SELECT CASE WHEN grouping(weekday) = 0 THEN 1 WHEN grouping(hour) = 0 THEN 2 ELSE 0 END AS chart,
         coalesce(weekday::text, hour::text) AS label, NULL AS name, sum(n) AS n
  FROM (SELECT extract(dow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour, n
        FROM (SELECT date_trunc('hour', at AT TIME ZONE $8::text) AS local, sum(n) AS n FROM total GROUP BY 1) t) t
  GROUP BY GROUPING SETS ((), (weekday), (hour)) HAVING sum(n) <> 0
  UNION ALL
  SELECT CASE dim WHEN 3 THEN 4 WHEN 4 THEN 5 ELSE 3 END, CASE WHEN dim = 4 AND key = '' THEN 'Unknown' ELSE key END, max(sub), sum(n)
  FROM (SELECT dim, key, sub, sum(n) AS n FROM part GROUP BY dim, key, sub HAVING sum(n) <> 0) p
  GROUP BY 1, 2)
SELECT chart, label, name, n::bigint AS n
FROM (SELECT c.*, row_number() OVER (PARTITION BY chart ORDER BY n DESC, label) AS place FROM charts c) r
WHERE chart < 4 OR place <= $9
ORDER BY chart, place
