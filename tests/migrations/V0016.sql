INSERT INTO usage_component (tenant_id, machine_id, kind, name, type, os_name, os_version, version, last_seen_at) VALUES
  (1, 101, 1, 'canary_a', 'canary_a', 'canary_a', '1', 'canary_a', now()),
  (2, 201, 1, 'canary_b', 'canary_b', 'canary_b', '1', 'canary_b', now()),
  (2, 201, 2, 'canary_b', NULL, NULL, NULL, 'canary_b', now() - interval '400 days');
INSERT INTO usage_metric (tenant_id, id, machine_id, key, kind, name, collected_at, active_decisions, processed_items, dropped_items, processed_bytes, items)
  OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 101, '00000000-0000-8000-8000-0000000000a1', 1, 'canary_a', now() - interval '1 hour', 1, 2, 3, 4, '["canary_a"]'),
  (2, 201, 201, '00000000-0000-8000-8000-0000000000b1', 1, 'canary_b', now() - interval '1 hour', 10, 20, 30, 40, '["canary_b"]'),
  (2, 202, 201, '00000000-0000-8000-8000-0000000000b2', 1, 'canary_b', now() - interval '400 days', 10, 20, 30, 40, '["canary_b"]');
