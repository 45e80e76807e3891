SELECT json_strip_nulls(row_to_json(r))::text AS row
FROM (SELECT key, machine_id, received_at, start_at, stop_at, forwarded_at, batch_id, raw_offset, raw_length, events_count,
  capacity, forward_state, filtered, simulated, remediation, has_decisions, replicated, local_audit,
  geo_latitude, geo_longitude, source_lo, source_hi, uuid, agent, scenario, scenario_hash, scenario_version,
  message, leakspeed, start_text, stop_text, created_text, source_scope, source_value, source_ip, source_range,
  source_as_number, source_as_name, source_cn, geo_country_code, geo_country_name, geo_city, geo_region,
  geo_timezone, geo_isp, geo_org, filter_rules, filter_reasons, forward_error, actor, raw_json
  FROM alert WHERE tenant_id = $1 ORDER BY id) r
