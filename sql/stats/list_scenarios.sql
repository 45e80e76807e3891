-- Every scenario that is stored, rows of our own included: what a list offers to choose from.
SELECT scenario, sum(n)::bigint AS n
FROM (SELECT key AS scenario, n FROM stat_count WHERE tenant_id = $1 AND dim = 1 AND span = 0
      UNION ALL
      SELECT s.scenario, d.sign FROM stat_delta d CROSS JOIN LATERAL unnest(d.scenario) AS s(scenario) WHERE d.tenant_id = $1
      UNION ALL
      SELECT scenario, 1 FROM alert WHERE tenant_id = $1 AND local_audit) t
GROUP BY scenario HAVING sum(n) <> 0 ORDER BY n DESC, scenario LIMIT 500
