-- The next rows of a machine's log with the alerts in them that still wait; a row whose alerts are all settled, or gone
-- with their partition, comes without any, so that the lane moves over it.
WITH due AS (
  SELECT xid, seq, keys FROM outbox
  WHERE tenant_id = $1 AND topic = 1 AND subject_id = $2 AND (xid, seq) > ($3::text::xid8, $4) AND xid < $5::text::xid8
  ORDER BY xid, seq LIMIT $6)
SELECT due.xid::text AS at_xid, due.seq AS at_seq, a.key, a.batch_id, a.raw_offset, a.raw_length, b.api_version
FROM due CROSS JOIN LATERAL unnest(due.keys) WITH ORDINALITY AS k(key, n)
LEFT JOIN alert a ON a.tenant_id = $1 AND a.key = k.key AND a.forward_state = 1
LEFT JOIN signal_batch b ON b.tenant_id = $1 AND b.id = a.batch_id
ORDER BY due.xid, due.seq, k.n
