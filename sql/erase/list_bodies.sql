-- These batches' bodies, held until the transaction ends: two who change one take turns.
SELECT b.id, b.body FROM signal_batch b WHERE b.tenant_id = $1 AND b.id = ANY ($2::uuid[]) AND b.body IS NOT NULL ORDER BY b.id FOR UPDATE
