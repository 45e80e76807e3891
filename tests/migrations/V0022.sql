-- Heads came with the migration and with the tenants.
INSERT INTO audit_entry (tenant_id, seq, at, actor_kind, actor_id, action, outcome, digest, prev, hash) VALUES
  (1, 101, '2026-11-01 00:00+00', 1, 101, 'canary.a', 1, decode(repeat('a1', 32), 'hex'), decode(repeat('a2', 32), 'hex'), decode(repeat('a3', 32), 'hex')),
  (2, 201, '2026-11-02 00:00+00', 1, 201, 'canary.b', 1, decode(repeat('b1', 32), 'hex'), decode(repeat('b2', 32), 'hex'), decode(repeat('b3', 32), 'hex'));
INSERT INTO audit_text (tenant_id, seq, actor, target, details, source, request_id) VALUES
  (1, 101, 'canary_a', 'canary_a', '{"a": 1}', '192.0.2.1', 'canary_a'),
  (2, 201, 'canary_b', 'canary_b', '{"b": 1}', '192.0.2.2', 'canary_b');
UPDATE audit_head SET seq = 101, hash = decode(repeat('a3', 32), 'hex') WHERE tenant_id = 1;
UPDATE audit_head SET seq = 201, hash = decode(repeat('b3', 32), 'hex') WHERE tenant_id = 2;
