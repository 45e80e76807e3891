INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, servers, reason, actor) VALUES
  (1, '00000000-0000-0000-0000-0000000000a1', 2, 101, 'crowdsec', 'Ip', '192.0.2.7', 'ban', 'canary_a', '192.0.2.7', '192.0.2.7', '2999-01-01', NULL, NULL, NULL),
  (1, '00000000-0000-0000-0000-0000000000a2', 3, 0, 'crowdsieve', 'Range', '192.0.2.0/24', 'ban', 'canary_a', '192.0.2.0', '192.0.2.255', '2999-01-01', '{101}', 'canary_a', 'canary_a'),
  (2, '00000000-0000-0000-0000-0000000000b1', 2, 201, 'crowdsec', 'Ip', '192.0.2.7', 'ban', 'canary_b', '192.0.2.7', '192.0.2.7', '2999-01-01', NULL, NULL, NULL),
  (2, '00000000-0000-0000-0000-0000000000b2', 1, 201, 'crowdsec', 'Ip', '192.0.2.8', 'ban', 'canary_b', '192.0.2.8', '192.0.2.8', '2999-01-01', NULL, NULL, NULL),
  (2, '00000000-0000-0000-0000-0000000000b3', 2, 201, 'crowdsec', 'Ip', '192.0.2.9', 'ban', 'canary_b', '192.0.2.9', '192.0.2.9', '2000-01-01', NULL, NULL, NULL);
UPDATE decision SET uuid = 'canary_b' WHERE tenant_id = 2 AND source = 1;
INSERT INTO lapi_copy (tenant_id, server_id, key, scope, value, type, until) VALUES
  (1, 101, '00000000-0000-0000-0000-0000000000a2', 'Range', '192.0.2.0/24', 'ban', '2999-01-01'),
  (2, 201, '00000000-0000-0000-0000-0000000000b2', 'Ip', '192.0.2.8', 'ban', '2999-01-01');
INSERT INTO lapi_sync (tenant_id, server_id, machine_id) VALUES (1, 101, 101), (2, 201, NULL), (2, 202, NULL) ON CONFLICT DO NOTHING;
INSERT INTO lane (tenant_id, topic, subject_id) VALUES (1, 2, 101), (2, 2, 201), (2, 3, 201), (2, 4, 0) ON CONFLICT DO NOTHING;
UPDATE tenant SET keeps_decisions = false WHERE id = 2;
INSERT INTO outbox (tenant_id, topic, subject_id, keys) VALUES (2, 2, 201, '{00000000-0000-0000-0000-0000000000b2}');
INSERT INTO idempotent_answer (tenant_id, key, request, status, body) VALUES (1, 'canary', '\xa1', 200, 'canary_a'), (2, 'canary', '\xb1', 200, 'canary_b'), (2, 'open', '\xb1', NULL, NULL);
INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, lifted_at)
VALUES (2, '00000000-0000-0000-0000-0000000000b4', 2, 201, 'crowdsec', 'Ip', '198.51.100.4', 'ban', 'canary_b', '198.51.100.4', '198.51.100.4', '2999-01-01', now());
INSERT INTO alert_decision (tenant_id, alert_key, item, until, origin, type, scope, value, scenario)
SELECT tenant_id, key, 1, '2999-01-01', 'crowdsec', 'ban', 'Ip', '192.0.2.7', scenario FROM alert WHERE has_decisions;
