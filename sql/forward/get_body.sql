SELECT body FROM signal_batch WHERE tenant_id = $1 AND id = $2 AND body IS NOT NULL
