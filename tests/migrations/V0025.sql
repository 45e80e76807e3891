-- One whose import lost its lease, and what its set has still to take up.
UPDATE tenant_erasure SET importing = false WHERE tenant_id IN (1, 2);
INSERT INTO outbox (tenant_id, topic, subject_id, keys) VALUES
  (1, 4, 0, '{00000000-0000-0000-0000-0000000000a1}'), (2, 4, 0, '{00000000-0000-0000-0000-0000000000b1}');
INSERT INTO tenant_limit (tenant_id, tenant_requests, rules) VALUES (1, 101, 11), (2, 201, 21);
