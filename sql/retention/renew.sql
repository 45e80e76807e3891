-- Still ours: the row is locked until the transaction ends, so that nobody takes the sweep in the middle of a portion.
UPDATE sweep SET lease_until = now() + interval '30 seconds' WHERE tenant_id = $1 AND owner = $2
