-- A 2xx came for these; nothing else sets these columns.
WITH done AS (
  UPDATE alert SET forwarded_at = now(), forward_state = 2 WHERE tenant_id = $1 AND key = ANY ($2) AND forward_state = 1
  RETURNING key)
INSERT INTO event (tenant_id, kind, keys) SELECT $1, 2, array_agg(key) FROM done HAVING count(*) > 0
