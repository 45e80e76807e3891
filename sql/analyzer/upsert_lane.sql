-- Due at once, or never while it is off. By the clock, not by when the transaction began: a run that began in between
-- must see that it is later.
INSERT INTO lane (tenant_id, topic, subject_id, due_at) VALUES ($1, 5, $2, CASE WHEN $3::boolean THEN clock_timestamp() ELSE 'infinity' END)
ON CONFLICT (tenant_id, topic, subject_id) DO UPDATE SET due_at = excluded.due_at, next_try_at = '-infinity'
