-- Alerts by minute, hour, day or week ($13) of the time zone $12. Conditions as in alert/list.sql. Planned for its parameters.
SELECT date_trunc($13::text, a.received_at, $12::text) AS at, count(*) AS n, count(*) FILTER (WHERE a.filtered) AS filtered,
       count(*) FILTER (WHERE a.forwarded_at IS NOT NULL) AS forwarded
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
  AND ($11::timestamptz IS NULL OR a.received_at <= $11)
GROUP BY 1 ORDER BY 1
