-- Machines with what they sent in the last day and how far its forwarding is behind.
SELECT m.id, m.login, m.kind, m.name, m.user_agent, m.created_at, m.last_seen_at, m.delivers,
       coalesce(b.received, 0)  AS received,  coalesce(b.stored, 0)   AS stored,
       coalesce(b.duplicate, 0) AS duplicate, coalesce(b.rejected, 0) AS rejected,
       coalesce(b.filtered, 0)  AS filtered,
       coalesce(w.waiting, 0)   AS waiting,   w.oldest, l.failures, l.last_error, nullif(l.next_try_at, '-infinity') AS next_try_at, l.last_ok_at
FROM machine m
LEFT JOIN lane l ON l.tenant_id = m.tenant_id AND l.topic = 1 AND l.subject_id = m.id
LEFT JOIN LATERAL (
  SELECT sum(received) AS received, sum(stored) AS stored, sum(duplicate) AS duplicate, sum(rejected) AS rejected, sum(filtered) AS filtered
  FROM signal_batch s WHERE s.tenant_id = m.tenant_id AND s.machine_id = m.id AND s.received_at > now() - interval '1 day') b ON true
LEFT JOIN LATERAL (
  SELECT sum(cardinality(keys)) AS waiting, min(created_at) AS oldest
  FROM outbox o WHERE o.tenant_id = m.tenant_id AND o.topic = 1 AND o.subject_id = m.id) w ON true
WHERE m.tenant_id = $1 AND m.removed_at IS NULL
ORDER BY m.id
