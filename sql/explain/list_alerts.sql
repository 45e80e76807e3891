-- The newest alerts about the addresses from $2 to $3: of these and parts of them, of ranges that begin there, and of
-- ranges that name the single address $4. Each branch is read from its own index, newest first.
WITH hits AS (
  (SELECT key, received_at FROM alert WHERE tenant_id = $1 AND source_lo = $2 ORDER BY received_at DESC LIMIT 50)
  UNION
  (SELECT key, received_at FROM alert WHERE tenant_id = $1 AND $2::inet <> $3::inet AND source_lo > $2 AND source_lo <= $3
   ORDER BY received_at DESC LIMIT 50)
  UNION
  (SELECT key, received_at FROM alert WHERE tenant_id = $1 AND source_lo <> source_hi AND source_ip = $4
   ORDER BY received_at DESC LIMIT 50))
SELECT a.id, a.received_at, a.scenario, a.message, a.agent, a.source_value, a.machine_id, m.name AS machine_name, m.login,
  a.filtered, a.filter_reasons, a.forwarded_at, a.forward_error, a.has_decisions, a.local_audit, a.actor
FROM hits h JOIN alert a ON a.tenant_id = $1 AND a.key = h.key
LEFT JOIN machine m ON m.tenant_id = a.tenant_id AND m.id = a.machine_id
ORDER BY a.received_at DESC, a.id DESC
LIMIT 50
