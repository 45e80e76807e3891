-- Gives the lease back; drained up to $5 when that is given.
UPDATE lane SET lease_until = '-infinity', read_xid = coalesce($5::text::xid8, read_xid)
WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3 AND fence = $4
