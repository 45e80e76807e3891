INSERT INTO api_token (tenant_id, id, name, hash, last4, scope, expires_at, revoked_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 'canary_a', '\xa1', 'aaaa', 2, NULL, NULL),
  (1, 102, 'canary_a old', '\xa2', 'aaab', 1, now() - interval '1 day', now()),
  (2, 201, 'canary_b', '\xb1', 'bbbb', 2, NULL, NULL),
  (2, 202, 'canary_b two', '\xb2', 'bbbc', 1, NULL, NULL),
  (2, 203, 'canary_b three', '\xb3', 'bbbd', 1, NULL, NULL);
INSERT INTO machine (tenant_id, id, login, kind, name, password_hash, upstream_login, upstream_password, upstream_registered,
  upstream_token, upstream_token_expires, user_agent, removed_at, upstream_login_until) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 'login_canary_a', 1, 'canary_a', 'x', 'up_canary_a', '\xa1', true, '\xa0', now(), 'canary_a', NULL, '-infinity'),
  (1, 102, 'login_gone', 2, 'canary_a', NULL, 'up_canary_a', '\xa2', true, NULL, NULL, NULL, now(), '-infinity'),
  (2, 201, 'login_canary_b', 1, 'canary_b', 'x', 'up_canary_b', '\xb1', true, '\xb0', now(), 'canary_b', NULL, '-infinity'),
  (2, 202, 'login_two', 2, 'canary_b', NULL, 'up_canary_b', '\xb2', true, NULL, NULL, 'canary_b', NULL, 'infinity');
