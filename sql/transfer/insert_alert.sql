-- What waited for CAPI does not leave from here. Counted as what is there, not as what was used: that comes with `stat_usage`.
WITH new AS (
  INSERT INTO alert (tenant_id, key, machine_id, received_at, start_at, stop_at, forwarded_at, batch_id, raw_offset, raw_length,
    events_count, capacity, forward_state, filtered, simulated, remediation, has_decisions, replicated,
    local_audit, geo_latitude, geo_longitude, source_lo, source_hi, uuid, agent, scenario, scenario_hash,
    scenario_version, message, leakspeed, start_text, stop_text, created_text, source_scope, source_value,
    source_ip, source_range, source_as_number, source_as_name, source_cn, geo_country_code, geo_country_name,
    geo_city, geo_region, geo_timezone, geo_isp, geo_org, filter_rules, filter_reasons, forward_error, actor,
    raw_json)
  SELECT $1, r.key, r.machine_id, r.received_at, r.start_at, r.stop_at, r.forwarded_at, r.batch_id, r.raw_offset,
    r.raw_length, r.events_count, r.capacity, CASE r.forward_state WHEN 1 THEN 0 ELSE r.forward_state END,
    r.filtered, r.simulated, r.remediation, r.has_decisions, r.replicated, r.local_audit, r.geo_latitude,
    r.geo_longitude, r.source_lo, r.source_hi, r.uuid, r.agent, r.scenario, r.scenario_hash, r.scenario_version,
    r.message, r.leakspeed, r.start_text, r.stop_text, r.created_text, r.source_scope, r.source_value,
    r.source_ip, r.source_range, r.source_as_number, r.source_as_name, r.source_cn, r.geo_country_code,
    r.geo_country_name, r.geo_city, r.geo_region, r.geo_timezone, r.geo_isp, r.geo_org, r.filter_rules,
    r.filter_reasons, r.forward_error, r.actor, r.raw_json
  FROM json_populate_recordset(NULL::alert, $2::text::json) AS r
  RETURNING received_at, forwarded_at, filtered, local_audit, scenario, geo_country_code, geo_country_name, geo_latitude, geo_longitude),
counted AS (
  INSERT INTO stat_delta (tenant_id, at, sign, filtered, forwarded, scenario, country, country_name, cell, used)
  SELECT $1, received_at, 1, count(*) FILTER (WHERE filtered), count(forwarded_at), array_agg(scenario), array_agg(geo_country_code),
         array_agg(geo_country_name), array_agg(stat_cell(geo_latitude, geo_longitude)), false
  FROM new WHERE NOT local_audit GROUP BY received_at)
SELECT count(*) AS n FROM new
