-- The next rows of the log, from one that may be half told ($2, $3) to the last that all readers see ($4, $5).
SELECT e.xid::text AS at_xid, e.seq AS at_seq, e.at, e.kind, e.keys, e.detail
FROM event e
WHERE e.tenant_id = $1 AND (e.xid, e.seq) >= ($2::text::xid8, $3) AND (e.xid, e.seq) <= ($4::text::xid8, $5)
  AND e.kind = ANY ($6::smallint[])
ORDER BY e.xid, e.seq LIMIT $7
