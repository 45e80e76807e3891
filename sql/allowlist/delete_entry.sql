-- One entry that has not expired; the number of its list.
DELETE FROM allowlist_entry e USING allowlist a
WHERE e.tenant_id = $1 AND a.tenant_id = $1 AND a.id = e.allowlist_id AND a.name = $2 AND e.value = $3
  AND (e.expires_at IS NULL OR e.expires_at > now())
RETURNING e.allowlist_id
