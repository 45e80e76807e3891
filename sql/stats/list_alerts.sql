-- Charts of alerts, all of one look at the rows, so that they add up: in all, and by weekday (0 is Sunday), hour and day in
-- the time zone $12, by scenario and by country; the $13 largest of the last two, ties by name. Conditions as in
-- alert/list.sql; rows of our own are no alerts. Planned for its parameters.
WITH a AS (
  SELECT a.received_at, a.filtered, a.forwarded_at IS NOT NULL AS forwarded, a.scenario,
         CASE a.geo_country_code WHEN '' THEN 'Unknown' ELSE a.geo_country_code END AS code, a.geo_country_name AS name,
         a.received_at AT TIME ZONE $12::text AS at
  FROM alert a
  WHERE a.tenant_id = $1 AND NOT a.local_audit
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
  SELECT CASE WHEN grouping(weekday) = 0 THEN 1 WHEN grouping(hour) = 0 THEN 2 WHEN grouping(day) = 0 THEN 3
              WHEN grouping(scenario) = 0 THEN 4 WHEN grouping(code) = 0 THEN 5 ELSE 0 END AS chart,
         coalesce(weekday::text, hour::text, to_char(day, 'YYYY-MM-DD'), scenario, code) AS label, max(name) AS name,
         count(*) AS n, count(*) FILTER (WHERE filtered) AS filtered, count(*) FILTER (WHERE forwarded) AS forwarded,
         min(received_at) AS first, max(received_at) AS last
  FROM (SELECT a.*, extract(dow FROM at)::int AS weekday, extract(hour FROM at)::int AS hour, at::date AS day FROM a) b
  GROUP BY GROUPING SETS ((), (weekday), (hour), (day), (scenario), (code)) HAVING count(*) > 0)
SELECT chart, label, name, n, filtered, forwarded, first, last
FROM (SELECT g.*, row_number() OVER (PARTITION BY chart ORDER BY n DESC, label) AS place FROM grouped g
      WHERE chart = 0 OR label IS NOT NULL) r
WHERE chart < 4 OR place <= $13
ORDER BY chart, place
