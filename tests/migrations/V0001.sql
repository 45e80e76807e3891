-- Two tenants, canary_a and canary_b: whatever belongs to the second has canary_b in its texts and 2xx as its ids.
INSERT INTO tenant (name, forward_enabled, dedupe_key) VALUES
  ('canary_a', true, decode(repeat('0a', 32), 'hex')),
  ('canary_b', false, decode(repeat('0b', 32), 'hex'));
INSERT INTO platform_fact (name, value) VALUES ('cluster', '\x31');
INSERT INTO credential (hash, kind, tenant_id, subject_id, expires_at) VALUES
  (decode(repeat('a1', 32), 'hex'), 1, 1, 101, NULL),
  (decode(repeat('a2', 32), 'hex'), 2, 1, 101, now() + interval '1 day'),
  (decode(repeat('a3', 32), 'hex'), 3, 1, 1, NULL),
  (decode(repeat('b1', 32), 'hex'), 1, 2, 201, NULL),
  (decode(repeat('b2', 32), 'hex'), 2, 2, 201, now() - interval '3 days'),
  (decode(repeat('c4', 32), 'hex'), 4, NULL, 1, now() + interval '1 day');
INSERT INTO machine_login (login, tenant_id, machine_id) VALUES ('login_canary_a', 1, 101), ('login_canary_b', 2, 201);
INSERT INTO unbound_login (login, password, token, token_expires_at) VALUES ('login_unbound', '\x00', '\x01', now());
INSERT INTO upstream_login DEFAULT VALUES;
