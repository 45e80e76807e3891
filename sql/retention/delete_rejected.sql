DELETE FROM rejected_signal WHERE tenant_id = $1 AND batch_id = ANY ($2::uuid[])
