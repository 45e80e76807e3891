UPDATE machine SET delivers = true WHERE id IN (101, 201, 202);
INSERT INTO link_list (tenant_id, machine_id, kind, list, name, digest, changed_at) VALUES
  (1, 101, 1, 'Ip ban', '', '\xa1', now()),
  (1, 101, 2, '101', 'canary_a', '\xa2', now()),
  (2, 201, 1, 'Ip ban', '', '\xb1', now()),
  (2, 201, 2, '291', 'canary_b', '\xb2', now()),
  (2, 202, 2, '292', 'canary_b', '\xb3', now());
UPDATE link_list SET told_at = now() - interval '100 days' WHERE machine_id = 202;
INSERT INTO link_given (tenant_id, machine_id, value, type, until) VALUES
  (1, 101, '192.0.2.1', 'canary_a', now() + interval '1 day'),
  (2, 201, '192.0.2.2', 'canary_b', now() + interval '1 day'),
  (2, 202, '192.0.2.3', 'canary_b', now() - interval '1 day');
INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until) VALUES
  (1, 'a1110000-0000-8000-8000-000000000001', 2, 191, 'cscli', 'Ip', '192.0.2.191', 'canary_a', 'canary_a', '192.0.2.191', '192.0.2.191', now() + interval '1 day'),
  (2, 'b1110000-0000-8000-8000-000000000001', 2, 291, 'cscli', 'Ip', '192.0.2.192', 'canary_b', 'canary_b', '192.0.2.192', '192.0.2.192', now() + interval '1 day');
INSERT INTO allowlist (tenant_id, id, name, description) OVERRIDING SYSTEM VALUE VALUES
  (1, 191, 'link_canary_a', 'canary_a'),
  (2, 299, 'link_canary_b', 'canary_b');
INSERT INTO allowlist_entry (tenant_id, id, allowlist_id, value, lo, hi, reason) OVERRIDING SYSTEM VALUE VALUES
  (1, 191, 191, '198.51.100.191', '198.51.100.191', '198.51.100.191', 'canary_a'),
  (2, 299, 299, '198.51.100.192', '198.51.100.192', '198.51.100.192', 'canary_b');
