SELECT row_to_json(r)::text AS row
FROM (SELECT machine_id, kind, name, type, os_name, os_version, version, active_at, first_seen_at, last_seen_at
  FROM usage_component WHERE tenant_id = $1 ORDER BY machine_id, kind, name) r
