UPDATE idempotent_answer SET status = $3, body = $4 WHERE tenant_id = $1 AND key = $2
