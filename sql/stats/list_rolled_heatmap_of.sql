-- As list_rolled_heatmap.sql for alerts of a few scenarios ($7 is 1, $8 their names) or countries ($7 is 2, $8 their codes),
-- in a zone whose hours are UTC's: each counted hour is looked up for each of them.
SELECT extract(dow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour, sum(n)::bigint AS n
FROM (SELECT date_trunc('hour', at AT TIME ZONE $6::text) AS local, sum(n) AS n
      FROM (SELECT h.at, c.n
            -- Without any count there is no hour: greatest() and least() would pass over the NULL, to all hours of the window.
            FROM (SELECT min(t.at) AS first, max(t.at) AS last FROM stat_total t WHERE t.tenant_id = $1 HAVING min(t.at) IS NOT NULL) AS b
            CROSS JOIN LATERAL generate_series(greatest($3, date_bin('1 hour', b.first, 'epoch')),
              least($4::timestamptz - interval '1 microsecond', b.last), interval '1 hour') AS h(at)
            CROSS JOIN unnest($8::text[]) AS k(key)
            CROSS JOIN LATERAL (SELECT sum(s.n) AS n FROM stat_count s
              WHERE s.tenant_id = $1 AND s.dim = $7::smallint AND s.span = 2 AND s.at = h.at AND s.key = k.key) AS c
            UNION ALL
            SELECT f.at, f.sign
            FROM stat_delta f CROSS JOIN LATERAL unnest(CASE $7::smallint WHEN 1 THEN f.scenario ELSE f.country END) AS v(key)
            WHERE f.tenant_id = $1 AND f.at >= $3 AND f.at < $4 AND v.key = ANY ($8)
            UNION ALL
            SELECT e.received_at, 1 FROM alert e
            WHERE e.tenant_id = $1 AND NOT e.local_audit AND e.received_at >= $2 AND e.received_at < $3
              AND CASE $7::smallint WHEN 1 THEN e.scenario ELSE e.geo_country_code END = ANY ($8)
            UNION ALL
            SELECT e.received_at, 1 FROM alert e
            WHERE e.tenant_id = $1 AND NOT e.local_audit AND e.received_at >= $4 AND e.received_at < $5
              AND CASE $7::smallint WHEN 1 THEN e.scenario ELSE e.geo_country_code END = ANY ($8)) t
      GROUP BY 1) l
GROUP BY 1, 2 HAVING sum(n) <> 0
