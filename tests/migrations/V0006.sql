INSERT INTO lane (tenant_id, topic, subject_id, wake_xid, failures, last_error) VALUES
  (1, 1, 101, '9', 0, NULL), (2, 1, 201, '9', 3, 'canary_b'), (2, 1, 202, '9', 0, NULL);
INSERT INTO outbox (tenant_id, topic, subject_id, keys)
SELECT tenant_id, 1, machine_id, array_agg(key) FROM alert WHERE machine_id IS NOT NULL GROUP BY tenant_id, machine_id;
