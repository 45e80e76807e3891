-- What failed may be tried again with the same key.
DELETE FROM idempotent_answer WHERE tenant_id = $1 AND key = $2 AND status IS NULL
