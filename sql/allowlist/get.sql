SELECT a.id, a.name, a.description, a.created_at, a.updated_at,
  (SELECT count(*) FROM allowlist_entry e WHERE e.tenant_id = $1 AND e.allowlist_id = a.id
     AND (e.expires_at IS NULL OR e.expires_at > now())) AS entries
FROM allowlist a WHERE a.tenant_id = $1 AND a.name = $2
