-- A page of a list's entries, in the order in which they were first added.
SELECT id, value, reason, actor, expires_at, created_at FROM allowlist_entry
WHERE tenant_id = $1 AND allowlist_id = $2 AND id > $3 AND (expires_at IS NULL OR expires_at > now())
ORDER BY id LIMIT $4
