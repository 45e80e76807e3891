-- A page of the alerts of some scenarios, $2, as alert/list has it: each name is looked up by itself, where an index tells their
-- order, however long ago the last of them was. A few rows of each, twice as many as the page has together, tell since when the
-- page must be; only a name that may have more since then is looked up again. For conditions that the index on scenarios has:
-- by any other, a name that never met it would be read from end to end.
WITH few AS MATERIALIZED (
  SELECT k.* FROM unnest($2::text[]) AS n(scenario) CROSS JOIN LATERAL (
    SELECT a.* FROM alert a
    WHERE a.tenant_id = $1 AND a.scenario = n.scenario
      AND ($3::text IS NULL OR a.geo_country_code = $3)
      AND ($4::timestamptz IS NULL OR a.received_at >= $4)
      AND ($5::timestamptz IS NULL OR a.received_at <= $5)
      AND ($6::timestamptz IS NULL OR (a.received_at, a.id) < ($6, $7))
    ORDER BY a.received_at DESC, a.id DESC LIMIT 2 * ($8::bigint + $9::bigint) / cardinality($2) + 1) k),
since AS (
  SELECT coalesce((SELECT received_at FROM few ORDER BY received_at DESC LIMIT 1 OFFSET $8::bigint + $9::bigint - 1), '-infinity') AS at),
more AS (
  SELECT scenario FROM few GROUP BY scenario
  HAVING count(*) > 2 * ($8::bigint + $9::bigint) / cardinality($2) AND min(received_at) >= (SELECT at FROM since))
SELECT a.id, a.uuid, a.agent, a.scenario, a.scenario_hash, a.scenario_version, a.message, a.events_count, a.capacity, a.leakspeed,
       a.start_text, a.stop_text, a.created_text, a.received_at, a.simulated, a.remediation, a.has_decisions, a.replicated,
       a.source_scope, a.source_value, a.source_ip, a.source_range, a.source_as_number, a.source_as_name, a.source_cn,
       a.geo_country_code, a.geo_country_name, a.geo_city, a.geo_region, a.geo_latitude, a.geo_longitude, a.geo_timezone,
       a.geo_isp, a.geo_org, a.filtered, a.filter_reasons, a.forwarded_at, a.local_audit, a.actor,
       a.batch_id, a.raw_offset, a.raw_length, a.raw_json
FROM (
  SELECT * FROM few WHERE scenario NOT IN (SELECT scenario FROM more)
  UNION ALL
  SELECT k.* FROM more CROSS JOIN LATERAL (
    SELECT a.* FROM alert a
    WHERE a.tenant_id = $1 AND a.scenario = more.scenario AND a.received_at >= (SELECT at FROM since)
      AND ($3::text IS NULL OR a.geo_country_code = $3)
      AND ($4::timestamptz IS NULL OR a.received_at >= $4)
      AND ($5::timestamptz IS NULL OR a.received_at <= $5)
      AND ($6::timestamptz IS NULL OR (a.received_at, a.id) < ($6, $7))
    ORDER BY a.received_at DESC, a.id DESC LIMIT $8::bigint + $9::bigint) k) a
ORDER BY a.received_at DESC, a.id DESC
LIMIT $8 OFFSET $9
