-- Charts of the decisions that alerts carried, all of one look at the rows: in all, and by weekday and hour of their
-- alert in the time zone $12, by the decision's scenario, the alert's country, and the length of the decision, which is read
-- from the Go duration; the $13 largest of scenarios and countries, ties by name. Conditions as in alert/list.sql, of the
-- alert. Planned for its parameters.
WITH a AS (
  SELECT d.scenario, CASE a.geo_country_code WHEN '' THEN 'Unknown' ELSE a.geo_country_code END AS code,
         a.geo_country_name AS name, a.received_at AT TIME ZONE $12::text AS at,
         CASE WHEN d.duration_ms < 3600000 THEN 0 WHEN d.duration_ms < 86400000 THEN 1 WHEN d.duration_ms < 604800000 THEN 2
              WHEN d.duration_ms IS NOT NULL THEN 3 END AS length
  FROM alert a JOIN alert_decision d ON d.tenant_id = a.tenant_id AND d.alert_key = a.key
  WHERE a.tenant_id = $1 AND d.tenant_id = $1 AND NOT a.local_audit
    AND ($2::boolean IS NULL OR a.filtered = $2)
    AND ($3::boolean IS NULL OR (a.forwarded_at IS NOT NULL) = $3)
    AND ($4::text IS NULL OR position($4 IN a.scenario) > 0)
    AND ($14::text[] IS NULL OR a.scenario = ANY ($14))
    AND ($5::text IS NULL OR a.geo_country_code = $5)
    AND ($6::text IS NULL OR a.agent = $6)
    AND ($7::inet IS NULL OR (a.source_lo >= $7 AND a.source_lo <= $8 AND a.source_hi <= $8)
         OR (a.source_lo <> a.source_hi AND a.source_ip = $9))
    AND ($10::timestamptz IS NULL OR a.received_at >= $10)
    AND ($11::timestamptz IS NULL OR a.received_at <= $11)),
grouped AS (
  SELECT CASE WHEN grouping(weekday) = 0 THEN 1 WHEN grouping(hour) = 0 THEN 2 WHEN grouping(length) = 0 THEN 3
              WHEN grouping(scenario) = 0 THEN 4 WHEN grouping(code) = 0 THEN 5 ELSE 0 END AS chart,
         coalesce(weekday::text, hour::text, length::text, scenario, code) AS label, max(name) AS name, count(*) AS n
  FROM (SELECT a.*, extract(dow FROM at)::int AS weekday, extract(hour FROM at)::int AS hour FROM a) b
  GROUP BY GROUPING SETS ((), (weekday), (hour), (length), (scenario), (code)) HAVING count(*) > 0)
SELECT chart, label, name, n
FROM (SELECT g.*, row_number() OVER (PARTITION BY chart ORDER BY n DESC, label) AS place FROM grouped g
      WHERE chart = 0 OR label IS NOT NULL) r
WHERE chart < 4 OR place <= $13
ORDER BY chart, place
