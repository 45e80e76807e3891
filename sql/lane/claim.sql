-- Leases due lanes, tenants in turn and at most $2 of one at a time (of those that failed last, half as many), until $3
-- from now. The fence goes up with every claim. `horizon` is how far the log may be read. The table is read once and its
-- rows are found again by their place: beside a long snapshot every lane leaves many dead rows behind.
WITH seen AS MATERIALIZED (
  SELECT l.ctid AS place, l.tenant_id, l.failures > 0 AS failing, l.claimed_at, l.lease_until > now() AS leased,
         (l.wake_xid > l.read_xid OR l.due_at <= now()) AND l.next_try_at <= now() AND l.lease_until <= now() AS due
  FROM lane l),
busy AS (
  SELECT tenant_id, failing, count(*) AS n FROM seen WHERE leased GROUP BY 1, 2),
ranked AS (
  SELECT s.place, s.failing, s.claimed_at,
         coalesce(b.n, 0) + row_number() OVER (PARTITION BY s.tenant_id, s.failing ORDER BY s.claimed_at) AS turn
  FROM seen s JOIN tenant n ON n.id = s.tenant_id AND n.removed_at IS NULL
  LEFT JOIN busy b ON b.tenant_id = s.tenant_id AND b.failing = s.failing
  WHERE s.due),
due AS MATERIALIZED (
  SELECT l.ctid AS place FROM lane l JOIN ranked r ON l.ctid = r.place
  WHERE r.turn <= CASE WHEN r.failing THEN ($2::bigint + 1) / 2 ELSE $2::bigint END
  ORDER BY r.turn, r.claimed_at LIMIT $1
  FOR UPDATE OF l SKIP LOCKED)
UPDATE lane l SET lease_owner = $4, lease_until = now() + make_interval(secs => $3), fence = l.fence + 1, claimed_at = now()
FROM due d
WHERE l.ctid = d.place AND l.lease_until <= now()
RETURNING l.tenant_id, l.topic, l.subject_id, l.fence, l.failures, l.cursor_xid::text AS cursor_xid, l.cursor_seq,
          pg_snapshot_xmin(pg_current_snapshot())::text AS horizon
