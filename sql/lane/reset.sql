-- The database was restored into another cluster, whose transaction numbers began again: everything in the outbox
-- counts as written now, and every lane reads from the start. LAPI servers went on meanwhile: as after a failure, all that
-- is on them is read and compared anew.
WITH o AS (UPDATE outbox SET xid = pg_current_xact_id()),
     d AS (UPDATE dispatch SET last_xmin = '0')
UPDATE lane SET cursor_xid = '0', cursor_seq = 0, wake_xid = '0', read_xid = '0', lease_until = '-infinity', fence = fence + 1,
  next_try_at = '-infinity', failures = CASE WHEN topic IN (2, 3) THEN 1 ELSE 0 END,
  due_at = CASE WHEN topic = 1 THEN due_at ELSE now() END
