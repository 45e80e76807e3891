-- What allowlists hold now.
SELECT lo, hi FROM allowlist_entry WHERE tenant_id = $1 AND (expires_at IS NULL OR expires_at > now())
