-- The database was restored into another cluster, whose transaction numbers began again: everything in the outbox
-- counts as written now, and every lane reads from the start.
WITH o AS (UPDATE outbox SET xid = pg_current_xact_id()),
     d AS (UPDATE dispatch SET last_xmin = '0')
UPDATE lane SET cursor_xid = '0', cursor_seq = 0, wake_xid = '0', read_xid = '0', lease_until = '-infinity', fence = fence + 1
