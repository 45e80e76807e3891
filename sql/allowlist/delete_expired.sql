-- They count for nothing any more; here so that the table does not grow for ever.
DELETE FROM allowlist_entry WHERE tenant_id = $1 AND expires_at <= now()
