SELECT id, name, forward_enabled, created_at, suspended_at, NULL::timestamptz AS asked_at, NULL::timestamptz AS done_at, NULL::bigint AS gone
FROM tenant WHERE removed_at IS NULL ORDER BY id
