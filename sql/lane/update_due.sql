-- By the clock, not by when the transaction began: a turn that was claimed in between must see that it is later.
UPDATE lane SET due_at = clock_timestamp(), next_try_at = '-infinity' WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3
