-- As list_buckets.sql for a question that only says when, by hour, day or week; times as in list_rolled_alerts.sql.
SELECT date_trunc($7::text, at, $6::text) AS at, sum(n)::bigint AS n, sum(filtered)::bigint AS filtered, sum(forwarded)::bigint AS forwarded
FROM (SELECT at, alerts AS n, filtered, forwarded FROM stat_total WHERE tenant_id = $1 AND at >= $3 AND at < $4
      UNION ALL
      SELECT at, sign * cardinality(scenario), filtered, forwarded FROM stat_delta WHERE tenant_id = $1 AND at >= $3 AND at < $4
      UNION ALL
      SELECT received_at, 1, filtered::int, (forwarded_at IS NOT NULL)::int
      FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $2 AND received_at < $3
      UNION ALL
      SELECT received_at, 1, filtered::int, (forwarded_at IS NOT NULL)::int
      FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $4 AND received_at < $5) t
GROUP BY 1 HAVING sum(n) <> 0 ORDER BY 1
