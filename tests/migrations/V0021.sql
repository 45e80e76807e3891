INSERT INTO person (email, name, is_platform_admin) VALUES ('a@canary.example', 'canary_a', false), ('b@canary.example', 'canary_b', true);
INSERT INTO membership (tenant_id, person_id, role) VALUES (1, 1, 4), (2, 2, 4), (2, 201, 1);
INSERT INTO invitation (tenant_id, id, email, name, role, created_by, expires_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 'c@canary.example', 'canary_a', 1, 'canary_a', now() + interval '1 day'),
  (2, 201, 'd@canary.example', 'canary_b', 1, 'canary_b', now() + interval '1 day');
INSERT INTO session (id, person_id, chosen, expires_at) VALUES ('00000000-0000-0000-0000-00000000000a', 1, 1, now() + interval '1 day');
INSERT INTO session (id, token_tenant, token_id, expires_at) VALUES ('00000000-0000-0000-0000-00000000000b', 2, 201, now() + interval '1 day');
INSERT INTO session_key (salt) VALUES (decode(repeat('0a', 32), 'hex'));
INSERT INTO login_throttle (key, level) VALUES (decode(repeat('0a', 32), 'hex'), 1);
INSERT INTO api_token (tenant_id, id, name, hash, last4, scope, scopes, networks, created_by) OVERRIDING SYSTEM VALUE VALUES
  (1, 104, 'canary_a few', '\xa4', 'aaad', 1, '{alerts:read}', '{192.0.2.0/24}', 'canary_a'),
  (2, 204, 'canary_b few', '\xb4', 'bbbe', 1, '{alerts:read}', '{192.0.2.0/24}', 'canary_b');
INSERT INTO credential (hash, kind, tenant_id, subject_id) VALUES
  (decode(repeat('a6', 32), 'hex'), 6, 1, 104), (decode(repeat('b7', 32), 'hex'), 7, 2, 201);
