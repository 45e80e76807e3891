INSERT INTO usage_component (tenant_id, machine_id, kind, name, type, os_name, os_version, version, active_at, first_seen_at, last_seen_at)
SELECT $1, r.machine_id, r.kind, r.name, r.type, r.os_name, r.os_version, r.version, r.active_at, r.first_seen_at,
  r.last_seen_at
FROM json_populate_recordset(NULL::usage_component, $2::text::json) AS r
