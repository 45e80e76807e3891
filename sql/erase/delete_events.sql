DELETE FROM event e USING unnest($2::text[], $3::bigint[]) AS g(xid, seq)
WHERE e.tenant_id = $1 AND e.xid = g.xid::xid8 AND e.seq = g.seq
