-- A part of what is older than $1 seconds, by one replica at a time; and up to where. Rows are found by their age and
-- forgotten by their transaction: whoever stands at the last of them or before may have missed something.
WITH f AS MATERIALIZED (SELECT id FROM event_floor WHERE id = 1 FOR UPDATE SKIP LOCKED),
gone AS (
  DELETE FROM event WHERE ctid = ANY (ARRAY(
    SELECT e.ctid FROM event e
    WHERE e.at < now() - make_interval(secs => $1) AND EXISTS (SELECT FROM f) ORDER BY e.at LIMIT $2))
  RETURNING xid),
told AS (
  UPDATE event_floor SET xid = greatest(event_floor.xid, (SELECT max(xid) FROM gone)) FROM f
  WHERE event_floor.id = f.id AND EXISTS (SELECT FROM gone))
SELECT count(*) AS deleted FROM gone
