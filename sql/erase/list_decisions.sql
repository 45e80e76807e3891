-- The next decisions that alerts carried, with all that they say.
SELECT d.alert_key, d.item, concat_ws(' ', d.value, d.scenario, d.origin, d.uuid) AS text FROM alert_decision d
WHERE d.tenant_id = $1 AND (d.alert_key, d.item) > ($2, $3) ORDER BY d.alert_key, d.item LIMIT $4
