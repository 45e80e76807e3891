-- The lane moves over what is delivered; drained, it rests until the dispatcher wakes it. No row: the lease is lost.
UPDATE lane SET cursor_xid = $5::text::xid8, cursor_seq = $6, failures = 0, first_fail_at = NULL, last_error = NULL, last_ok_at = now()
WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3 AND fence = $4
