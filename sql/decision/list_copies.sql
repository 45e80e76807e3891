-- What Garrison put on the servers under these keys, as far as it has not ended.
SELECT server_id, key, value, type, until, state, error, placed_at, checked_at
FROM lapi_copy
WHERE tenant_id = $1 AND key = ANY ($2::uuid[]) AND until > now()
ORDER BY placed_at, server_id, key
LIMIT 10000
