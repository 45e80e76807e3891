-- Tells lanes that their log has rows that every later reader will see: those below the oldest transaction still
-- running. One replica at a time; a pass more does nothing; a wake-up cannot be lost, because a lane is due while
-- wake_xid > read_xid and only the worker moves read_xid.
WITH d AS MATERIALIZED (
  SELECT last_xmin, pg_snapshot_xmin(pg_current_snapshot()) AS horizon FROM dispatch WHERE id = 1 FOR UPDATE SKIP LOCKED),
fresh AS (
  SELECT DISTINCT o.tenant_id, o.topic, o.subject_id FROM outbox o, d WHERE o.xid >= d.last_xmin AND o.xid < d.horizon),
woken AS (
  UPDATE lane l SET wake_xid = d.horizon FROM fresh f, d
  WHERE l.tenant_id = f.tenant_id AND l.topic = f.topic AND l.subject_id = f.subject_id
  RETURNING 1)
UPDATE dispatch SET last_xmin = d.horizon FROM d WHERE dispatch.id = 1 AND d.horizon > d.last_xmin
