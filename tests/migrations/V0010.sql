INSERT INTO allowlist (tenant_id, id, name, description) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 'canary', 'canary_a'),
  (2, 201, 'canary', 'canary_b'),
  (2, 202, 'theirs', 'canary_b');
INSERT INTO allowlist_entry (tenant_id, id, allowlist_id, value, lo, hi, reason, actor, expires_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 101, '198.51.100.7', '198.51.100.7', '198.51.100.7', 'canary_a', 'canary_a', NULL),
  (2, 201, 201, '198.51.100.7', '198.51.100.7', '198.51.100.7', 'canary_b', 'canary_b', NULL),
  (2, 202, 201, '198.51.100.8', '198.51.100.8', '198.51.100.8', 'canary_b', 'canary_b', '2020-01-01T00:00:00Z'),
  (2, 203, 202, '203.0.113.0/24', '203.0.113.0', '203.0.113.255', 'canary_b', 'canary_b', NULL);
-- What an allowlist's entries lift.
INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until) VALUES
  (1, '00000000-0000-0000-0000-00000a11a101', 1, 101, 'canary_a', 'Ip', '192.0.2.101', 'ban', 'canary_a', '192.0.2.101', '192.0.2.101', '2990-01-01'),
  (2, '00000000-0000-0000-0000-00000a11a201', 1, 201, 'canary_b', 'Ip', '192.0.2.201', 'ban', 'canary_b', '192.0.2.201', '192.0.2.201', '2990-01-01'),
  (2, '00000000-0000-0000-0000-00000a11a202', 2, 201, 'canary_b', 'Range', '203.0.113.0/24', 'ban', 'canary_b', '203.0.113.0', '203.0.113.255', '2990-01-01');
