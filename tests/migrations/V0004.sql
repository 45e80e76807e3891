INSERT INTO filter_set (tenant_id, mode, version) VALUES (1, 1, 3), (2, 2, 7);
INSERT INTO filter_rule (tenant_id, id, name, enabled, description, expression, version) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 'canary_a', true, NULL, '{"field": "scenario", "op": "eq", "value": "canary_a"}', 2),
  (1, 102, 'canary_a off', false, 'canary_a', '{"field": "simulated", "op": "eq", "value": true}', 3),
  (2, 201, 'canary_b', true, 'canary_b', '{"field": "scenario", "op": "eq", "value": "canary_b"}', 7),
  (2, 202, 'canary_b two', true, NULL, '{"field": "scenario", "op": "contains", "value": "canary_b"}', 7),
  (2, 203, 'canary_b off', false, NULL, '{"field": "scenario", "op": "contains", "value": "canary_b"}', 7);
