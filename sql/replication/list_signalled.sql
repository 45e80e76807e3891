-- Decisions of these alerts that still hold; at most $3, so that the caller sees when it asked for too many at once.
SELECT a.machine_id, a.agent, d.origin, d.type, d.scope, d.value, coalesce(d.scenario, a.scenario) AS scenario, d.until, d.uuid
FROM alert_decision d JOIN alert a ON a.tenant_id = d.tenant_id AND a.key = d.alert_key
WHERE d.tenant_id = $1 AND d.alert_key = ANY ($2::uuid[]) AND d.until > now() AND a.machine_id IS NOT NULL
  AND d.simulated IS NOT TRUE AND a.simulated IS NOT TRUE
LIMIT $3
