DELETE FROM idempotent_answer WHERE tenant_id = $1 AND key = ANY ($2::text[])
