-- A batch a tenant with two alerts (and one more of the second), from now; and one of years ago, in the lowest partition.
INSERT INTO signal_batch (tenant_id, id, received_at, machine_id, api_version, received, stored, duplicate, rejected, filtered, body)
SELECT t, overlay(time_key(now())::text PLACING lpad(t::text, 12, '0') FROM 25)::uuid, now() - (3 - t) * interval '1 second', t * 100 + 1, 3, 3, 2, 0, 1, 1,
       convert_to('body of canary_' || chr(96 + t), 'UTF8')
FROM generate_series(1, 2) t;
INSERT INTO rejected_signal (tenant_id, batch_id, item, field, reason, raw_offset, raw_length)
SELECT tenant_id, id, 2, 'scenario', 'canary_' || chr(96 + tenant_id), 0, 1 FROM signal_batch;
INSERT INTO alert (tenant_id, key, id, machine_id, received_at, start_at, batch_id, raw_offset, raw_length, forward_state, filtered,
  has_decisions, source_lo, source_hi, source_ip, agent, scenario, geo_country_code, forwarded_at)
SELECT b.tenant_id, overlay(time_key(b.received_at - n * interval '1 second')::text PLACING lpad((b.tenant_id * 10 + n)::text, 12, '0') FROM 25)::uuid,
       b.tenant_id * 100 + n, b.machine_id, b.received_at, b.received_at, b.id, n * 10, 10, n % 2, n % 2 = 0, true,
       '192.0.2.7', '192.0.2.7', '192.0.2.7', 'agent_canary_' || chr(96 + b.tenant_id), 'scenario_canary_' || chr(96 + b.tenant_id), 'FR',
       CASE WHEN n = 2 THEN now() END
FROM signal_batch b CROSS JOIN LATERAL generate_series(1, 1 + b.tenant_id) n;
INSERT INTO alert (tenant_id, key, id, received_at, start_at, forward_state, filtered, has_decisions, source_lo, source_hi, source_ip, scenario)
SELECT t, overlay(time_key('1999-12-31')::text PLACING lpad(t::text, 12, '0') FROM 25)::uuid, t * 100 + 50, '1999-12-31', '1999-12-31', 0, true, false,
       '198.51.100.0', '198.51.100.255', '198.51.100.9', 'scenario_canary_' || chr(96 + t) || '_old'
FROM generate_series(1, 2) t;
INSERT INTO alert_decision (tenant_id, alert_key, item, duration_ms, origin, type, scope, value, scenario)
SELECT tenant_id, key, 0, 14400000, 'crowdsec', 'ban', 'Ip', '192.0.2.7', scenario FROM alert WHERE has_decisions;
