INSERT INTO lapi_server (tenant_id, slot, name, url, bouncer_key, machine_id, machine_password, replicate_decisions, source_machine_ids,
  tags, version, created_at, updated_at, checked_at, check_reachable, check_key, check_login, check_version,
  check_error)
SELECT $1, r.slot, r.name, r.url, r.bouncer_key, r.machine_id, r.machine_password, r.replicate_decisions,
  r.source_machine_ids, r.tags, r.version, r.created_at, r.updated_at, r.checked_at, r.check_reachable,
  r.check_key, r.check_login, r.check_version, r.check_error
FROM json_populate_recordset(NULL::lapi_server, $2::text::json) AS r
RETURNING id
