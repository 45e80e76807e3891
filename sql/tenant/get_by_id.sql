-- Also one that was deleted, with how far its erasure is; not one that is being imported.
SELECT t.id, t.name, t.forward_enabled, t.created_at, t.suspended_at, e.asked_at, e.done_at, e.gone
FROM tenant t LEFT JOIN tenant_erasure e ON e.tenant_id = t.id
WHERE t.id = $1 AND (t.removed_at IS NULL OR e.tenant_id IS NOT NULL AND NOT e.importing)
