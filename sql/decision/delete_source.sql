-- A source that is gone says nothing any more; the keys.
DELETE FROM decision WHERE tenant_id = $1 AND source = $2 AND source_id = $3 RETURNING key
