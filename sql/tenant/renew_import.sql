-- Whether it is ours still. The row stays locked until the portion is committed: nobody takes it up in between.
UPDATE tenant_erasure SET lease_until = now() + interval '2 minutes'
WHERE tenant_id = $1 AND owner = $2 AND importing AND done_at IS NULL RETURNING tenant_id
