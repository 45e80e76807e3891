INSERT INTO tenant_erasure (tenant_id, actor, asked_at, done_at) VALUES
  (1, 'canary_a', '2026-11-01 00:00+00', '2026-11-01 01:00+00'), (2, 'canary_b', '2026-11-01 00:00+00', '2026-11-01 01:00+00');
INSERT INTO stat_usage (tenant_id, month, received, stored, filtered, forwarded, decisions, bytes) VALUES
  (1, '2020-01-01', 101, 1, 0, 0, 0, 101), (2, '2020-01-01', 201, 2, 0, 0, 0, 201);
INSERT INTO stat_usage_machine (tenant_id, month, machine_id) VALUES (1, '2020-01-01', 101), (2, '2020-01-01', 201);
