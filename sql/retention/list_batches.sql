-- The next batches that are older than $2 days, and whether an alert still points into each: it has its time of receipt.
-- Batch by batch, by the index: an EXISTS would be made into a hash of all alerts.
SELECT b.id, (SELECT 1 FROM alert a WHERE a.tenant_id = $1 AND a.received_at = b.received_at AND a.batch_id = b.id LIMIT 1) IS NOT NULL AS used
FROM signal_batch b
WHERE b.tenant_id = $1 AND b.id > $3 AND b.id < time_key(now() - make_interval(days => $2))
  AND b.received_at < now() - make_interval(days => $2)
ORDER BY b.id LIMIT $4
