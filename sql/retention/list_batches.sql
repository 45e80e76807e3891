-- The next batches that are older than $2 days, and whether an alert still points into each: it has its time of receipt.
SELECT b.id, EXISTS (SELECT FROM alert a WHERE a.tenant_id = $1 AND a.received_at = b.received_at AND a.batch_id = b.id) AS used
FROM signal_batch b
WHERE b.tenant_id = $1 AND b.id > $3 AND b.id < time_key(now() - make_interval(days => $2))
  AND b.received_at < now() - make_interval(days => $2)
ORDER BY b.id LIMIT $4
