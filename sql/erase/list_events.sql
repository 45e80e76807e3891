SELECT e.xid::text AS at_xid, e.seq, e.detail::text AS detail FROM event e
WHERE e.tenant_id = $1 AND e.detail IS NOT NULL AND (e.xid, e.seq) > ($2::text::xid8, $3) ORDER BY e.xid, e.seq LIMIT $4
