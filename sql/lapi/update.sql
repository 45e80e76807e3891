-- Only the version that was read is replaced. What was found of the old one says nothing of the new one.
UPDATE lapi_server SET url = $4, bouncer_key = $5, machine_id = $6, machine_password = $7, replicate_decisions = $8,
  source_machine_ids = $9, tags = $10, version = version + 1, updated_at = now(), checked_at = NULL, check_reachable = NULL,
  check_key = NULL, check_login = NULL, check_version = NULL, check_error = NULL
WHERE tenant_id = $1 AND id = $2 AND version = $3
RETURNING id, name, url, bouncer_key, machine_id, machine_password, replicate_decisions, source_machine_ids, tags, version, created_at,
       updated_at, checked_at, check_reachable, check_key, check_login, check_version, check_error
