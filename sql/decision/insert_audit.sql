-- What an operator did: an alert of our own, shown among the others, never forwarded and in no batch.
WITH done AS (
  INSERT INTO alert (tenant_id, key, forward_state, filtered, simulated, remediation, has_decisions, local_audit, source_lo, source_hi,
    scenario, scenario_version, message, source_scope, source_value, source_ip, source_range, actor, raw_json)
  VALUES ($1, $2, 0, true, false, false, false, true, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
  RETURNING key)
INSERT INTO event (tenant_id, kind, keys) SELECT $1, 1, ARRAY[key] FROM done
