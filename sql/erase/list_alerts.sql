-- The next alerts about addresses from $2 to $3. What was done here stays, without the address.
SELECT a.key, a.batch_id, a.raw_offset, a.raw_length, a.forward_state = 1 AS waits FROM alert a
WHERE a.tenant_id = $1 AND a.source_lo >= $2 AND a.source_lo <= $3 AND a.source_hi <= $3 AND NOT a.local_audit AND a.key > $4
ORDER BY a.key LIMIT $5
