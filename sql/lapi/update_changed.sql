-- A server that was changed is compared and read anew, at once. $3: it is another one now, and nobody knows which engine.
WITH y AS (UPDATE lapi_sync SET write_open = true, read_open = true, machine_id = CASE WHEN $3::boolean THEN NULL ELSE machine_id END
  WHERE tenant_id = $1 AND server_id = $2)
UPDATE lane SET due_at = clock_timestamp(), next_try_at = '-infinity' WHERE tenant_id = $1 AND topic IN (2, 3) AND subject_id = $2
