-- Leases due lanes, tenants in turn and at most $2 of one at a time (of those that failed last, half as many), until $3
-- from now. The fence goes up with every claim. `horizon` is how far the log may be read.
WITH busy AS (
  SELECT tenant_id, failures > 0 AS failing, count(*) AS n FROM lane WHERE lease_until > now() GROUP BY 1, 2),
ranked AS (
  SELECT l.tenant_id, l.topic, l.subject_id, l.failures > 0 AS failing,
         coalesce(b.n, 0) + row_number() OVER (PARTITION BY l.tenant_id, l.failures > 0 ORDER BY l.claimed_at) AS place
  FROM lane l JOIN tenant n ON n.id = l.tenant_id AND n.removed_at IS NULL
  LEFT JOIN busy b ON b.tenant_id = l.tenant_id AND b.failing = (l.failures > 0)
  WHERE (l.wake_xid > l.read_xid OR l.due_at <= now()) AND l.next_try_at <= now() AND l.lease_until <= now()),
due AS MATERIALIZED (
  SELECT l.tenant_id, l.topic, l.subject_id FROM lane l JOIN ranked r USING (tenant_id, topic, subject_id)
  WHERE r.place <= CASE WHEN r.failing THEN ($2::bigint + 1) / 2 ELSE $2::bigint END
  ORDER BY r.place, l.claimed_at LIMIT $1
  FOR UPDATE OF l SKIP LOCKED)
UPDATE lane l SET lease_owner = $4, lease_until = now() + make_interval(secs => $3), fence = l.fence + 1, claimed_at = now()
FROM due d
WHERE l.tenant_id = d.tenant_id AND l.topic = d.topic AND l.subject_id = d.subject_id AND l.lease_until <= now()
RETURNING l.tenant_id, l.topic, l.subject_id, l.fence, l.failures, l.cursor_xid::text AS cursor_xid, l.cursor_seq,
          pg_snapshot_xmin(pg_current_snapshot())::text AS horizon
