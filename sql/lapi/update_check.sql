UPDATE lapi_server SET checked_at = now(), check_reachable = $4, check_key = $5, check_login = $6,
  check_version = coalesce($7, check_version), check_error = $8
WHERE tenant_id = $1 AND id = $2 AND version = $3
RETURNING id, name, url, bouncer_key, machine_id, machine_password, replicate_decisions, source_machine_ids, tags, version, created_at,
       updated_at, checked_at, check_reachable, check_key, check_login, check_version, check_error
