-- Decisions of these alerts that still hold; at most $3, so that the caller sees when it asked for too many at once. Alert
-- by alert, by the primary keys, as tables that just grew need.
SELECT a.machine_id, a.agent, d.origin, d.type, d.scope, d.value, coalesce(d.scenario, a.scenario) AS scenario, d.until, d.uuid
FROM unnest($2::uuid[]) AS k(key)
CROSS JOIN LATERAL (
  SELECT b.machine_id, b.agent, b.scenario, b.simulated FROM alert b WHERE b.tenant_id = $1 AND b.key = k.key OFFSET 0) a
CROSS JOIN LATERAL (
  SELECT e.origin, e.type, e.scope, e.value, e.scenario, e.until, e.uuid, e.simulated FROM alert_decision e
  WHERE e.tenant_id = $1 AND e.alert_key = k.key AND e.until > now() OFFSET 0) d
WHERE a.machine_id IS NOT NULL AND d.simulated IS NOT TRUE AND a.simulated IS NOT TRUE
LIMIT $3
