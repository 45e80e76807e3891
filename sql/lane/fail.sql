UPDATE lane SET lease_until = '-infinity', failures = failures + 1, next_try_at = now() + make_interval(secs => $5),
  last_error = $6, first_fail_at = coalesce(first_fail_at, now())
WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3 AND fence = $4
