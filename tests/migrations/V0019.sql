INSERT INTO retention (tenant_id, class, days) VALUES (1, 1, 41), (2, 1, 42);
INSERT INTO sweep (tenant_id, owner, lease_until, swept_at) VALUES
  (1, '00000000-0000-0000-0000-0000000000a1', '-infinity', now()), (2, '00000000-0000-0000-0000-0000000000b1', 'infinity', now());
INSERT INTO erasure (tenant_id, id, kind, actor, digest, complete, counts) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 1, 'canary_a', decode(repeat('aa', 32), 'hex'), true, '{"alert": 1}'),
  (2, 201, 1, 'canary_b', decode(repeat('bb', 32), 'hex'), true, '{"alert": 2}');
INSERT INTO stat_count (tenant_id, dim, span, at, key, sub, n) VALUES
  (1, 1, 2, '2026-11-16 02:00+00', 'canary/zero_a', '', 0), (2, 1, 2, '2026-11-16 02:00+00', 'canary/zero_b', '', 0);
INSERT INTO stream_cache (tenant_id, machine_id, target, fetched_at, content_type, body) VALUES
  (1, 101, '/old', now() - interval '40 days', 'canary_a', '\xa3'), (2, 201, '/old', now() - interval '40 days', 'canary_b', '\xb3');
