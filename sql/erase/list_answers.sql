SELECT i.key, i.body FROM idempotent_answer i WHERE i.tenant_id = $1 AND i.key > $2 ORDER BY i.key LIMIT $3
