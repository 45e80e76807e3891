UPDATE signal_batch SET body = $3 WHERE tenant_id = $1 AND id = $2
