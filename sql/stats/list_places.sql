-- Alerts by country, and by cell of one degree, with the scenario that is most frequent there; ties by name. At most $12
-- of each. Conditions as in alert/list.sql. Planned for its parameters.
WITH a AS (
  SELECT a.scenario, CASE a.geo_country_code WHEN '' THEN 'Unknown' ELSE a.geo_country_code END AS code,
         a.geo_country_name AS name, floor(a.geo_latitude)::int AS latitude, floor(a.geo_longitude)::int AS longitude
  FROM alert a
  WHERE a.tenant_id = $1 AND NOT a.local_audit
    AND ($2::boolean IS NULL OR a.filtered = $2)
    AND ($3::boolean IS NULL OR (a.forwarded_at IS NOT NULL) = $3)
    AND ($4::text IS NULL OR position($4 IN a.scenario) > 0)
    AND ($13::text[] IS NULL OR a.scenario = ANY ($13))
    AND ($5::text IS NULL OR a.geo_country_code = $5)
    AND ($6::text IS NULL OR a.agent = $6)
    AND ($7::inet IS NULL OR (a.source_lo >= $7 AND a.source_lo <= $8 AND a.source_hi <= $8)
         OR (a.source_lo <> a.source_hi AND a.source_ip = $9))
    AND ($10::timestamptz IS NULL OR a.received_at >= $10)
    AND ($11::timestamptz IS NULL OR a.received_at <= $11)),
grouped AS (
  SELECT grouping(code) = 0 AS of_country, code, max(name) AS name, latitude, longitude, count(*) AS n,
         mode() WITHIN GROUP (ORDER BY scenario) AS scenario
  FROM a GROUP BY GROUPING SETS ((code), (latitude, longitude)))
SELECT of_country, code, name, latitude, longitude, n, scenario
FROM (SELECT g.*, row_number() OVER (PARTITION BY of_country ORDER BY n DESC, code, latitude, longitude) AS place FROM grouped g
      WHERE CASE WHEN of_country THEN code IS NOT NULL ELSE latitude IS NOT NULL AND longitude IS NOT NULL END) r
WHERE place <= $12
ORDER BY of_country DESC, place
