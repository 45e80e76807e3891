INSERT INTO analyzer (tenant_id, id, slug, rule, url, token, enabled) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 'canary', '{"name": "canary_a"}', 'https://canary-a.test/', '\xa1', true),
  (2, 201, 'canary', '{"name": "canary_b"}', 'https://canary-b.test/', '\xb1', true),
  (2, 202, 'theirs', '{"name": "canary_b"}', 'https://canary-b.test/', '\xb2', false);
INSERT INTO analyzer_run (tenant_id, id, analyzer_id, by_hand, started_at, error, lines, skipped, detections, decisions, refused, truncated, results, pushes)
  OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 101, false, now(), 'canary_a', 1, 0, 0, 0, 0, '{canary_a}', '["canary_a"]', '[]'),
  (2, 201, 201, false, now(), 'canary_b', 1, 0, 0, 0, 0, '{canary_b}', '["canary_b"]', '[]'),
  (2, 202, 201, true, '2026-01-01', 'canary_b', 1, 0, 0, 0, 0, '{canary_b}', '["canary_b"]', '[]');
INSERT INTO analyzer_mark (tenant_id, analyzer_id, value, acted_ns) VALUES (1, 101, '192.0.2.7', 5), (2, 201, '192.0.2.7', 6), (2, 201, '192.0.2.8', 7);
INSERT INTO lane (tenant_id, topic, subject_id) VALUES (1, 5, 101), (2, 5, 201), (2, 5, 202) ON CONFLICT DO NOTHING;
INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until) VALUES
  (1, '00000000-0000-0000-0000-0000000000a4', 4, 101, 'garrison-analyzer', 'Ip', '192.0.2.44', 'ban', 'canary_a', '192.0.2.44', '192.0.2.44', '2999-01-01'),
  (2, '00000000-0000-0000-0000-0000000000b5', 4, 201, 'garrison-analyzer', 'Ip', '192.0.2.45', 'ban', 'canary_b', '192.0.2.45', '192.0.2.45', '2999-01-01');
