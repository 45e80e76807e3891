UPDATE signal_batch SET body = NULL WHERE tenant_id = $1 AND id = ANY ($2::uuid[])
