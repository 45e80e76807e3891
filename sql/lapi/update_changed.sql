-- A server that was changed is compared and read anew, at once.
WITH y AS (UPDATE lapi_sync SET write_open = true, read_open = true WHERE tenant_id = $1 AND server_id = $2)
UPDATE lane SET due_at = now(), next_try_at = '-infinity' WHERE tenant_id = $1 AND topic IN (2, 3) AND subject_id = $2
