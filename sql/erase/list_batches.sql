SELECT b.id FROM signal_batch b WHERE b.tenant_id = $1 AND b.id > $2 ORDER BY b.id LIMIT $3
