-- Leases due lanes, tenants in turn and at most $2 of one at a time, until $3 from now. The fence goes up with every
-- claim. `horizon` is how far the log may be read.
WITH busy AS (
  SELECT tenant_id, count(*) AS n FROM lane WHERE lease_until > now() GROUP BY tenant_id),
ranked AS (
  SELECT l.tenant_id, l.topic, l.subject_id,
         coalesce(b.n, 0) + row_number() OVER (PARTITION BY l.tenant_id ORDER BY l.next_try_at) AS place
  FROM lane l JOIN tenant n ON n.id = l.tenant_id AND n.removed_at IS NULL LEFT JOIN busy b USING (tenant_id)
  WHERE l.wake_xid > l.read_xid AND l.next_try_at <= now() AND l.lease_until <= now()),
due AS MATERIALIZED (
  SELECT l.tenant_id, l.topic, l.subject_id FROM lane l JOIN ranked r USING (tenant_id, topic, subject_id)
  WHERE r.place <= $2
  ORDER BY r.place, l.next_try_at LIMIT $1
  FOR UPDATE OF l SKIP LOCKED)
UPDATE lane l SET lease_owner = $4, lease_until = now() + make_interval(secs => $3), fence = l.fence + 1
FROM due d
WHERE l.tenant_id = d.tenant_id AND l.topic = d.topic AND l.subject_id = d.subject_id AND l.lease_until <= now()
RETURNING l.tenant_id, l.topic, l.subject_id, l.fence, l.failures, l.cursor_xid::text AS cursor_xid, l.cursor_seq,
          pg_snapshot_xmin(pg_current_snapshot())::text AS horizon
