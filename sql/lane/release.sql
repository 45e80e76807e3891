-- Gives the lease back; drained up to $5 when that is given; due again after $6 seconds when that is. A lane that was
-- made due meanwhile stays due.
UPDATE lane SET lease_until = '-infinity', read_xid = coalesce($5::text::xid8, read_xid),
  failures = CASE WHEN $6::float8 > 0 THEN 0 ELSE failures END,
  first_fail_at = CASE WHEN $6::float8 > 0 THEN NULL ELSE first_fail_at END,
  last_error = CASE WHEN $6::float8 > 0 THEN NULL ELSE last_error END,
  last_ok_at = CASE WHEN $6::float8 > 0 THEN now() ELSE last_ok_at END,
  due_at = CASE WHEN $6::float8 IS NULL OR due_at > claimed_at AND due_at <= clock_timestamp() THEN due_at
                ELSE now() + make_interval(secs => $6::float8) END
WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3 AND fence = $4
