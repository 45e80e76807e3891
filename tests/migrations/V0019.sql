INSERT INTO retention (tenant_id, class, days) VALUES (1, 1, 41), (2, 1, 42);
INSERT INTO sweep (tenant_id, owner, lease_until, swept_at) VALUES
  (1, '00000000-0000-0000-0000-0000000000a1', '-infinity', now()), (2, '00000000-0000-0000-0000-0000000000b1', 'infinity', now());
INSERT INTO erasure (tenant_id, id, kind, actor, digest, complete, counts) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 1, 'canary_a', decode(repeat('aa', 32), 'hex'), true, '{"alert": 1}'),
  (2, 201, 1, 'canary_b', decode(repeat('bb', 32), 'hex'), true, '{"alert": 2}');
