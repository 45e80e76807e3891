-- A page of the alerts of some scenarios, $4, as alert/list has it: each name is looked up by itself, where an index tells their
-- order, however long ago the last of them was. A few rows of each, as many as the page has together, tell since when the page
-- must be: so a name is not read further for being one of many. No address: that has an index of its own, which tells less
-- about these.
WITH few AS MATERIALIZED (
  SELECT k.received_at FROM unnest($4::text[]) AS n(scenario) CROSS JOIN LATERAL (
    SELECT a.received_at FROM alert a
    WHERE a.tenant_id = $1 AND a.scenario = n.scenario
      AND ($2::boolean IS NULL OR a.filtered = $2)
      AND ($3::boolean IS NULL OR (a.forwarded_at IS NOT NULL) = $3)
      AND ($5::text IS NULL OR a.geo_country_code = $5)
      AND ($6::text IS NULL OR a.agent = $6)
      AND ($7::timestamptz IS NULL OR a.received_at >= $7)
      AND ($8::timestamptz IS NULL OR a.received_at <= $8)
      AND ($9::timestamptz IS NULL OR (a.received_at, a.id) < ($9, $10))
    ORDER BY a.received_at DESC LIMIT ($11::bigint + $12::bigint) / cardinality($4) + 1) k),
since AS (
  SELECT coalesce((SELECT received_at FROM few ORDER BY received_at DESC LIMIT 1 OFFSET $11::bigint + $12::bigint - 1), '-infinity') AS at)
SELECT k.id, k.uuid, k.agent, k.scenario, k.scenario_hash, k.scenario_version, k.message, k.events_count, k.capacity, k.leakspeed,
       k.start_text, k.stop_text, k.created_text, k.received_at, k.simulated, k.remediation, k.has_decisions, k.replicated,
       k.source_scope, k.source_value, k.source_ip, k.source_range, k.source_as_number, k.source_as_name, k.source_cn,
       k.geo_country_code, k.geo_country_name, k.geo_city, k.geo_region, k.geo_latitude, k.geo_longitude, k.geo_timezone,
       k.geo_isp, k.geo_org, k.filtered, k.filter_reasons, k.forwarded_at, k.local_audit, k.actor,
       k.batch_id, k.raw_offset, k.raw_length, k.raw_json
FROM unnest($4::text[]) AS n(scenario) CROSS JOIN LATERAL (
  SELECT a.* FROM alert a
  WHERE a.tenant_id = $1 AND a.scenario = n.scenario
    AND a.received_at >= (SELECT at FROM since)
    AND ($2::boolean IS NULL OR a.filtered = $2)
    AND ($3::boolean IS NULL OR (a.forwarded_at IS NOT NULL) = $3)
    AND ($5::text IS NULL OR a.geo_country_code = $5)
    AND ($6::text IS NULL OR a.agent = $6)
    AND ($7::timestamptz IS NULL OR a.received_at >= $7)
    AND ($8::timestamptz IS NULL OR a.received_at <= $8)
    AND ($9::timestamptz IS NULL OR (a.received_at, a.id) < ($9, $10))
  ORDER BY a.received_at DESC, a.id DESC LIMIT $11::bigint + $12::bigint) k
ORDER BY k.received_at DESC, k.id DESC
LIMIT $11 OFFSET $12
