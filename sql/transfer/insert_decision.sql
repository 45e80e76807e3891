INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, uuid, servers, reason,
  actor, since, lifted_at, lift_done)
SELECT $1, r.key, r.source, r.source_id, r.origin, r.scope, r.value, r.type, r.scenario, r.lo, r.hi, r.until, r.uuid,
  r.servers, r.reason, r.actor, r.since, r.lifted_at, r.lift_done
FROM json_populate_recordset(NULL::decision, $2::text::json) AS r
