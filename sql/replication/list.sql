-- The next rows of the lane's log.
SELECT o.xid::text AS at_xid, o.seq, o.keys FROM outbox o
WHERE o.tenant_id = $1 AND o.topic = $2 AND o.subject_id = $3 AND (o.xid, o.seq) > ($4::text::xid8, $5) AND o.xid < $6::text::xid8
ORDER BY o.xid, o.seq LIMIT $7
