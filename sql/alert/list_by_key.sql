-- Those of some alerts that meet the conditions; $8 and $9 are the first and last address asked for, $10 the single one as
-- text, as in the list.
SELECT a.key, a.id, a.uuid, a.agent, a.scenario, a.scenario_hash, a.scenario_version, a.message, a.events_count, a.capacity, a.leakspeed,
       a.start_text, a.stop_text, a.created_text, a.received_at, a.simulated, a.remediation, a.has_decisions, a.replicated,
       a.source_scope, a.source_value, a.source_ip, a.source_range, a.source_as_number, a.source_as_name, a.source_cn,
       a.geo_country_code, a.geo_country_name, a.geo_city, a.geo_region, a.geo_latitude, a.geo_longitude, a.geo_timezone,
       a.geo_isp, a.geo_org, a.filtered, a.filter_reasons, a.forwarded_at, a.local_audit, a.actor
FROM alert a
WHERE a.tenant_id = $1 AND a.key = ANY ($2::uuid[])
  AND ($3::boolean IS NULL OR a.filtered = $3)
  AND ($4::boolean IS NULL OR (a.forwarded_at IS NOT NULL) = $4)
  AND ($5::text IS NULL OR position($5 IN a.scenario) > 0)
  AND ($6::text IS NULL OR a.geo_country_code = $6)
  AND ($7::text IS NULL OR a.agent = $7)
  AND ($8::inet IS NULL OR (a.source_lo >= $8 AND a.source_lo <= $9 AND a.source_hi <= $9)
       OR (a.source_lo <> a.source_hi AND a.source_ip = $10))
