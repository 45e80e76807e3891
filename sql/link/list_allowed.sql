-- All that the tenant's allowlists cover now.
SELECT value FROM allowlist_entry WHERE tenant_id = $1 AND (expires_at IS NULL OR expires_at > now())
