-- A 2xx came for these; nothing else sets these columns.
UPDATE alert SET forwarded_at = now(), forward_state = 2 WHERE tenant_id = $1 AND key = ANY ($2) AND forward_state = 1
