SELECT json_strip_nulls(row_to_json(r))::text AS row
FROM (SELECT key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, uuid, servers, reason, actor,
  since, lifted_at, lift_done
  FROM decision WHERE tenant_id = $1 ORDER BY key, source, source_id, origin) r
