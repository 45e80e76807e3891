SELECT value, reason, expires_at FROM allowlist_entry
WHERE tenant_id = $1 AND allowlist_id = $2 AND (expires_at IS NULL OR expires_at > now())
ORDER BY lo, hi DESC
