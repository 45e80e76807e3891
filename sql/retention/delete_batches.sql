DELETE FROM signal_batch WHERE tenant_id = $1 AND id = ANY ($2::uuid[])
