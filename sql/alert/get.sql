SELECT a.id, a.uuid, a.agent, a.scenario, a.scenario_hash, a.scenario_version, a.message, a.events_count, a.capacity, a.leakspeed,
       a.start_text, a.stop_text, a.created_text, a.received_at, a.simulated, a.remediation, a.has_decisions, a.replicated,
       a.source_scope, a.source_value, a.source_ip, a.source_range, a.source_as_number, a.source_as_name, a.source_cn,
       a.geo_country_code, a.geo_country_name, a.geo_city, a.geo_region, a.geo_latitude, a.geo_longitude, a.geo_timezone,
       a.geo_isp, a.geo_org, a.filtered, a.filter_reasons, a.forwarded_at, a.local_audit, a.actor,
       a.batch_id, a.raw_offset, a.raw_length, a.raw_json
FROM alert a WHERE a.tenant_id = $1 AND a.id = $2
