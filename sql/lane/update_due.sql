UPDATE lane SET due_at = now(), next_try_at = '-infinity' WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3
