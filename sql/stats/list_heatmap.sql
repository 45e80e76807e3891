-- Alerts by weekday (0 is Sunday) and hour in the time zone $12. Conditions as in alert/list.sql. Planned for its parameters.
SELECT extract(dow FROM at)::int AS weekday, extract(hour FROM at)::int AS hour, count(*) AS n
FROM (SELECT a.received_at AT TIME ZONE $12::text AS at
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
        AND ($11::timestamptz IS NULL OR a.received_at <= $11)) b
GROUP BY 1, 2
