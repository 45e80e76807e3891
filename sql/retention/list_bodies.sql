-- The next batches that are older than $2 days, and whether an alert of each still waits for CAPI, which gets its bytes.
SELECT b.id, b.body IS NOT NULL AS full, (
  SELECT 1 FROM alert a WHERE a.tenant_id = $1 AND a.received_at = b.received_at AND a.batch_id = b.id AND a.forward_state = 1
  LIMIT 1) IS NOT NULL AS waits
FROM signal_batch b
WHERE b.tenant_id = $1 AND b.id > $3 AND b.id < time_key(now() - make_interval(days => $2))
  AND b.received_at < now() - make_interval(days => $2)
ORDER BY b.id LIMIT $4
