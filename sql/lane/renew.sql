UPDATE lane SET lease_until = now() + make_interval(secs => $5)
WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3 AND fence = $4
