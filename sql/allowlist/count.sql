-- What the limits are about: lists, and entries that have not expired.
SELECT (SELECT count(*) FROM allowlist WHERE tenant_id = $1) AS lists,
  (SELECT count(*) FROM allowlist_entry WHERE tenant_id = $1 AND (expires_at IS NULL OR expires_at > now())) AS entries
