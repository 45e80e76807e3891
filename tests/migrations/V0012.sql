INSERT INTO feed (tenant_id, id, name, description) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, 'canary', 'canary_a'), (2, 201, 'canary', 'canary_b'), (2, 202, 'theirs', 'canary_b');
INSERT INTO feed_token (tenant_id, id, feed_id, last4) OVERRIDING SYSTEM VALUE VALUES (1, 101, 101, 'aaaa'), (2, 201, 201, 'bbbb');
INSERT INTO feed_content (tenant_id, feed_id, slot, hash) VALUES
  (1, 101, 0, decode(repeat('a1', 32), 'hex')), (2, 201, 0, decode(repeat('b1', 32), 'hex'));
INSERT INTO credential (hash, kind, tenant_id, subject_id) VALUES
  (decode(repeat('a5', 32), 'hex'), 5, 1, 101), (decode(repeat('b5', 32), 'hex'), 5, 2, 201);
