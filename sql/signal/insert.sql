-- One batch, whole: its new alerts, their decisions, what is to leave to CAPI and what to the tenant's set ($62: it is
-- kept), what could not be read, and the receipt
-- that makes an answer to a batch of nothing but duplicates as durable as a first one.
WITH new AS (
  INSERT INTO alert (tenant_id, machine_id, batch_id, key, raw_offset, raw_length, start_at, stop_at, events_count, capacity,
    forward_state, filtered, simulated, remediation, has_decisions, geo_latitude, geo_longitude, source_lo, source_hi,
    uuid, agent, scenario, scenario_hash, scenario_version, message, leakspeed, start_text, stop_text, created_text,
    source_scope, source_value, source_ip, source_range, source_as_number, source_as_name, source_cn, geo_country_code,
    filter_rules, filter_reasons, actor, geo_country_name, geo_city, geo_region, geo_timezone, geo_isp, geo_org)
  SELECT $1, $2, $3, s.key, s.raw_offset, s.raw_length, s.start_at, s.stop_at, s.events_count, s.capacity,
    s.forward_state, s.filtered, s.simulated, s.remediation, s.has_decisions, s.latitude, s.longitude, s.lo, s.hi,
    s.uuid, s.agent, s.scenario, s.scenario_hash, s.scenario_version, s.message, s.leakspeed, s.start_text, s.stop_text, s.created_text,
    s.source_scope, s.source_value, s.source_ip, s.source_range, s.as_number, s.as_name, s.cn, s.country,
    s.filter_rules::bigint[], s.filter_reasons, s.actor, s.country_name, s.city, s.region, s.timezone, s.isp, s.org
  FROM unnest($8::uuid[], $9::int[], $10::int[], $11::timestamptz[], $12::timestamptz[], $13::int[], $14::int[],
    $15::smallint[], $16::boolean[], $17::boolean[], $18::boolean[], $19::boolean[], $20::float8[], $21::float8[], $22::inet[], $23::inet[],
    $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[], $31::text[], $32::text[], $33::text[],
    $34::text[], $35::text[], $36::text[], $37::text[], $38::text[], $39::text[], $40::text[], $41::text[],
    $42::text[], $43::text[], $44::text[], $63::text[], $64::text[], $65::text[], $66::text[], $67::text[], $68::text[])
    AS s(key, raw_offset, raw_length, start_at, stop_at, events_count, capacity,
    forward_state, filtered, simulated, remediation, has_decisions, latitude, longitude, lo, hi,
    uuid, agent, scenario, scenario_hash, scenario_version, message, leakspeed, start_text, stop_text, created_text,
    source_scope, source_value, source_ip, source_range, as_number, as_name, cn, country,
    filter_rules, filter_reasons, actor, country_name, city, region, timezone, isp, org)
  ON CONFLICT (tenant_id, key) DO NOTHING
  RETURNING key, raw_offset, forward_state, filtered, has_decisions, scenario AS of, geo_country_code, geo_country_name, geo_latitude, geo_longitude),
d AS (
  SELECT d.*, new.geo_country_code, new.geo_country_name
  FROM unnest($45::uuid[], $46::int[], $47::boolean[], $48::bigint[], $49::timestamptz[],
    $50::text[], $51::text[], $52::text[], $53::text[], $54::text[], $55::text[], $56::text[])
    AS d(key, item, simulated, duration_ms, until, uuid, origin, type, scope, value, duration, scenario)
  JOIN new ON new.key = d.key),
decided AS (
  INSERT INTO alert_decision (tenant_id, alert_key, item, simulated, duration_ms, until, uuid, origin, type, scope, value, duration, scenario)
  SELECT $1, d.key, d.item, d.simulated, d.duration_ms, d.until, d.uuid, d.origin, d.type, d.scope, d.value, d.duration, d.scenario FROM d),
-- What charts and usage count, see V0013 and V0023: one row a batch.
counted AS (
  INSERT INTO stat_delta (tenant_id, at, sign, filtered, scenario, country, country_name, cell,
    decision_scenario, decision_length, decision_country, decision_name, used, received, bytes, machine_id)
  SELECT $1, now(), 1, a.filtered, coalesce(a.scenario, '{}'), coalesce(a.country, '{}'), coalesce(a.country_name, '{}'),
    coalesce(a.cell, '{}'), coalesce(c.scenario, '{}'), coalesce(c.length, '{}'), coalesce(c.country, '{}'), coalesce(c.name, '{}'),
    true, $5::int, $69::bigint, $2
  FROM (SELECT count(*) FILTER (WHERE filtered) AS filtered, array_agg(of) AS scenario, array_agg(geo_country_code) AS country,
          array_agg(geo_country_name) AS country_name, array_agg(stat_cell(geo_latitude, geo_longitude)) AS cell
        FROM new) a
  CROSS JOIN (SELECT array_agg(scenario) AS scenario, array_agg(stat_length(duration_ms)) AS length,
                array_agg(geo_country_code) AS country, array_agg(geo_country_name) AS name FROM d) c
  WHERE $5::int > 0),
-- One INSERT for both ways out: the second part is not even begun for a tenant that keeps no set.
leaving AS (
  INSERT INTO outbox (tenant_id, topic, subject_id, keys)
  SELECT $1, topic, subject_id, array_agg(key ORDER BY raw_offset)
  FROM (
    SELECT 1::smallint AS topic, $2::bigint AS subject_id, key, raw_offset, (row_number() OVER (ORDER BY raw_offset) - 1) / 50 AS part
    FROM new WHERE forward_state = 1
    UNION ALL
    SELECT 4, 0, key, raw_offset, (row_number() OVER (ORDER BY raw_offset) - 1) / 50
    FROM new WHERE has_decisions AND $62::boolean) w
  GROUP BY topic, subject_id, part ORDER BY topic, part),
told AS (
  INSERT INTO event (tenant_id, kind, keys)
  SELECT $1, 1, array_agg(key ORDER BY raw_offset) FROM new HAVING count(*) > 0),
unread AS (
  INSERT INTO rejected_signal (tenant_id, batch_id, item, field, reason, raw_offset, raw_length)
  SELECT $1, $3, r.item, r.field, r.reason, r.raw_offset, r.raw_length
  FROM unnest($57::int[], $58::text[], $59::text[], $60::int[], $61::int[]) AS r(item, field, reason, raw_offset, raw_length))
INSERT INTO signal_batch (tenant_id, id, machine_id, api_version, received, stored, duplicate, rejected, filtered, body)
SELECT $1, $3, $2, $4, $5::int, count(*), $5::int - $6::int - count(*), $6::int, count(*) FILTER (WHERE filtered),
       CASE WHEN count(*) > 0 OR $6::int > 0 THEN $7::bytea END
FROM new
RETURNING stored, duplicate, filtered
