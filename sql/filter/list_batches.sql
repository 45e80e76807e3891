-- Batches of the last days, newest first, and where their alerts stand in them.
SELECT b.id, b.body, s.ids, s.offsets, s.lengths, s.verdicts
FROM signal_batch b
CROSS JOIN LATERAL (
  SELECT array_agg(a.id ORDER BY a.raw_offset) AS ids, array_agg(a.raw_offset ORDER BY a.raw_offset) AS offsets,
         array_agg(a.raw_length ORDER BY a.raw_offset) AS lengths, array_agg(a.filtered ORDER BY a.raw_offset) AS verdicts
  FROM alert a
  WHERE a.tenant_id = b.tenant_id AND a.received_at = b.received_at AND a.batch_id = b.id) s
WHERE b.tenant_id = $1 AND b.id < $2 AND b.received_at >= now() - make_interval(days => $3) AND b.body IS NOT NULL AND s.ids IS NOT NULL
ORDER BY b.id DESC
LIMIT $4
