-- Lists that lose one changed.
WITH l AS (
  UPDATE allowlist SET updated_at = now() WHERE tenant_id = $1
    AND id IN (SELECT e.allowlist_id FROM allowlist_entry e WHERE e.tenant_id = $1 AND e.id = ANY ($2::bigint[])))
DELETE FROM allowlist_entry e WHERE e.tenant_id = $1 AND e.id = ANY ($2::bigint[])
