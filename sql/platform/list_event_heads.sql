-- How far the log of each of these tenants can be read: below the oldest transaction still running, because no earlier
-- one can still add to it.
SELECT h.horizon::text AS horizon, left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline,
       t.id AS tenant_id, e.xid::text AS at_xid, e.seq AS at_seq
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon) h CROSS JOIN unnest($1::int[]) AS t(id)
LEFT JOIN LATERAL (
  SELECT xid, seq FROM event WHERE tenant_id = t.id AND xid < h.horizon ORDER BY xid DESC, seq DESC LIMIT 1) e ON true
