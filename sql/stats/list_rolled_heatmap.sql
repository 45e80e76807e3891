-- As list_heatmap.sql for a question that only says when; times as in list_rolled_alerts.sql.
SELECT extract(dow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour, sum(n)::bigint AS n
FROM (SELECT date_trunc('hour', at AT TIME ZONE $6::text) AS local, sum(n) AS n
      FROM (SELECT at, alerts AS n FROM stat_total WHERE tenant_id = $1 AND at >= $3 AND at < $4
            UNION ALL SELECT at, sign * cardinality(scenario) FROM stat_delta WHERE tenant_id = $1 AND at >= $3 AND at < $4
            UNION ALL SELECT received_at, 1 FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $2 AND received_at < $3
            UNION ALL SELECT received_at, 1 FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $4 AND received_at < $5) t
      GROUP BY 1) l
GROUP BY 1, 2 HAVING sum(n) <> 0
