SELECT row_to_json(r)::text AS row
FROM (SELECT id, slot, name, url, bouncer_key, machine_id, machine_password, replicate_decisions, source_machine_ids, tags,
  version, created_at, updated_at, checked_at, check_reachable, check_key, check_login, check_version,
  check_error
  FROM lapi_server WHERE tenant_id = $1 ORDER BY id) r
