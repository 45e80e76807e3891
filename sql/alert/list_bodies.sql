SELECT id, body FROM signal_batch WHERE tenant_id = $1 AND id = ANY ($2) AND body IS NOT NULL
