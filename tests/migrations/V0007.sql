INSERT INTO stream_cache (tenant_id, machine_id, target, content_type, body) VALUES
  (1, 101, '/v3/decisions/stream', 'canary_a', '\xa1'),
  (2, 201, '/v3/decisions/stream', 'canary_b', '\xb1'),
  (2, 202, '/v3/decisions/stream', 'canary_b', '\xb2');
