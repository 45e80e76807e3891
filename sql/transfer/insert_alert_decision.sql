-- How many have their alert there: without one a decision could be neither counted nor aged.
WITH new AS (
  INSERT INTO alert_decision (tenant_id, alert_key, item, simulated, duration_ms, until, uuid, origin, type, scope, value, duration, scenario)
  SELECT $1, r.alert_key, r.item, r.simulated, r.duration_ms, r.until, r.uuid, r.origin, r.type, r.scope, r.value,
    r.duration, r.scenario
  FROM json_populate_recordset(NULL::alert_decision, $2::text::json) AS r
  RETURNING alert_key, scenario, duration_ms),
counted AS (
  INSERT INTO stat_delta (tenant_id, at, sign, decision_scenario, decision_length, decision_country, decision_name, used)
  SELECT $1, a.received_at, 1, array_agg(d.scenario), array_agg(stat_length(d.duration_ms)),
         array_agg(a.geo_country_code), array_agg(a.geo_country_name), false
  FROM new d JOIN alert a ON a.tenant_id = $1 AND a.key = d.alert_key
  WHERE NOT a.local_audit GROUP BY a.received_at)
SELECT count(*) AS n FROM new d JOIN alert a ON a.tenant_id = $1 AND a.key = d.alert_key
