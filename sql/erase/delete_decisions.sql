DELETE FROM alert_decision d USING unnest($2::uuid[], $3::int[]) AS g(key, item)
WHERE d.tenant_id = $1 AND d.alert_key = g.key AND d.item = g.item
