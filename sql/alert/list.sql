-- A page of alerts, newest first. Planned for its very parameters, so that the conditions not asked for vanish and the
-- index that fits the others is found. Addresses are compared as ranges of inet, which an index serves under row-level
-- security; $7 and $8 are the first and last address asked for, $9 the single one as text,
-- $16 the scenarios whose names $4 is part of, as far as they are few: then there is no $4. A single one is compared as such:
-- of an array's elements an index tells no order.
SELECT a.id, a.uuid, a.agent, a.scenario, a.scenario_hash, a.scenario_version, a.message, a.events_count, a.capacity, a.leakspeed,
       a.start_text, a.stop_text, a.created_text, a.received_at, a.simulated, a.remediation, a.has_decisions, a.replicated,
       a.source_scope, a.source_value, a.source_ip, a.source_range, a.source_as_number, a.source_as_name, a.source_cn,
       a.geo_country_code, a.geo_country_name, a.geo_city, a.geo_region, a.geo_latitude, a.geo_longitude, a.geo_timezone,
       a.geo_isp, a.geo_org, a.filtered, a.filter_reasons, a.forwarded_at, a.local_audit, a.actor,
       a.batch_id, a.raw_offset, a.raw_length, a.raw_json
FROM alert a
WHERE a.tenant_id = $1
  AND ($2::boolean IS NULL OR a.filtered = $2)
  AND ($3::boolean IS NULL OR (a.forwarded_at IS NOT NULL) = $3)
  AND ($4::text IS NULL OR position($4 IN a.scenario) > 0)
  AND ($16::text[] IS NULL OR cardinality($16) = 1 OR a.scenario = ANY ($16))
  AND (cardinality($16) IS DISTINCT FROM 1 OR a.scenario = $16[1])
  AND ($5::text IS NULL OR a.geo_country_code = $5)
  AND ($6::text IS NULL OR a.agent = $6)
  AND ($7::inet IS NULL OR (a.source_lo >= $7 AND a.source_lo <= $8 AND a.source_hi <= $8)
       OR (a.source_lo <> a.source_hi AND a.source_ip = $9))
  AND ($10::timestamptz IS NULL OR a.received_at >= $10)
  AND ($11::timestamptz IS NULL OR a.received_at <= $11)
  AND ($12::timestamptz IS NULL OR (a.received_at, a.id) < ($12, $13))
ORDER BY a.received_at DESC, a.id DESC
LIMIT $14 OFFSET $15
