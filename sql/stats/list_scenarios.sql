-- Every scenario that was ever stored, rows of our own included: what a list offers to choose from.
SELECT scenario, count(*) AS n FROM alert WHERE tenant_id = $1 GROUP BY scenario ORDER BY n DESC, scenario LIMIT 500
