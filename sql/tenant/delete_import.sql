-- No row when it is not ours any more.
DELETE FROM tenant_erasure WHERE tenant_id = $1 AND owner = $2 AND importing AND done_at IS NULL RETURNING tenant_id
