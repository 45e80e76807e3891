UPDATE rejected_signal SET reason = $4 WHERE tenant_id = $1 AND batch_id = $2 AND item = $3
