SELECT json_strip_nulls(row_to_json(r))::text AS row
FROM (SELECT alert_key, item, simulated, duration_ms, until, uuid, origin, type, scope, value, duration, scenario
  FROM alert_decision WHERE tenant_id = $1 ORDER BY alert_key, item) r
