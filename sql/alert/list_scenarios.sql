-- Scenarios whose names $2 is part of, $3 at most: some may have no alert any more, but none that has one is missing.
SELECT DISTINCT scenario
FROM (SELECT key AS scenario FROM stat_count WHERE tenant_id = $1 AND dim = 1 AND span = 0
      UNION ALL
      SELECT s.scenario FROM stat_delta d CROSS JOIN LATERAL unnest(d.scenario) AS s(scenario) WHERE d.tenant_id = $1
      UNION ALL
      SELECT scenario FROM alert WHERE tenant_id = $1 AND local_audit) t
WHERE position($2 IN scenario) > 0 LIMIT $3
