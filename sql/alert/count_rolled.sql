-- How many alerts were received between $2 and $5, rows of our own included, mostly from the counts that are kept; times as
-- in stats/list_rolled_alerts.sql, without days.
SELECT coalesce(sum(n), 0)::bigint AS n
FROM (SELECT alerts AS n FROM stat_total WHERE tenant_id = $1 AND at >= $3 AND at < $4
      UNION ALL SELECT sign * cardinality(scenario) FROM stat_delta WHERE tenant_id = $1 AND at >= $3 AND at < $4
      UNION ALL SELECT 1 FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $2 AND received_at < $3
      UNION ALL SELECT 1 FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $4 AND received_at < $5
      UNION ALL SELECT 1 FROM alert WHERE tenant_id = $1 AND local_audit AND received_at >= $2 AND received_at < $5) t
