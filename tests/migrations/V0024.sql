INSERT INTO person_identity (issuer, subject, person_id) VALUES
  ('https://canary.example/a', 'canary_a', 1), ('headers', 'canary_b', 2);
INSERT INTO single_use (key, expires_at) VALUES (decode(repeat('0a', 32), 'hex'), now() + interval '1 day');
UPDATE membership SET origin = 2 WHERE tenant_id = 2 AND person_id = 201;
INSERT INTO session (id, person_id, issuer, subject, provider_sid, expires_at) VALUES
  ('00000000-0000-0000-0000-00000000000c', 1, 'https://canary.example/a', 'canary_a', 'canary_a', now() + interval '1 day');
