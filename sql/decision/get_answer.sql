SELECT request, status, body FROM idempotent_answer WHERE tenant_id = $1 AND key = $2
