-- When the oldest thing was written that a stream can still tell.
SELECT at FROM event WHERE tenant_id = $1 AND xid > $2::text::xid8 ORDER BY xid, seq LIMIT 1
