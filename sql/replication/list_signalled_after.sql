-- The next alerts whose decisions still hold, for a set that begins.
SELECT DISTINCT d.alert_key FROM alert_decision d
WHERE d.tenant_id = $1 AND d.alert_key > $2 AND d.until > now()
ORDER BY d.alert_key LIMIT $3
