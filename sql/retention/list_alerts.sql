-- The next alerts that are older than $2 days: those of our own or the others ($3), those that wait for CAPI or not ($4).
SELECT a.key, a.received_at, a.id FROM alert a
WHERE a.tenant_id = $1 AND a.received_at < now() - make_interval(days => $2) AND (a.received_at, a.id) > ($5, $6)
  AND a.local_audit = $3 AND (a.forward_state = 1) = $4
ORDER BY a.received_at, a.id LIMIT $7
