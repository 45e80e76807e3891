INSERT INTO event (tenant_id, kind, at, keys)
SELECT tenant_id, 1, '2026-01-01'::timestamptz - tenant_id * interval '1 day', array_agg(key) FROM alert GROUP BY tenant_id ORDER BY tenant_id DESC;
INSERT INTO event (tenant_id, kind, keys, detail) VALUES
  (1, 3, '{00000000-0000-0000-0000-0000000000a1}', '{"error": "canary_a"}'),
  (2, 3, '{00000000-0000-0000-0000-0000000000b1}', '{"error": "canary_b"}');
