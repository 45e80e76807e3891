INSERT INTO lapi_server (tenant_id, id, slot, name, url, bouncer_key, machine_id, machine_password, tags) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 1, 'canary', 'https://canary-a.test/', '\xa1', 'canary_a', '\xa2', '{canary_a}'),
  (2, 201, 1, 'canary', 'https://canary-b.test/', '\xb1', 'canary_b', '\xb2', '{canary_b}'),
  (2, 202, 2, 'theirs', 'https://canary-b.test/', '\xb1', NULL, NULL, '{canary_b}');
