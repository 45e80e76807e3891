-- Entries of allowlists that are about the addresses from $2 to $3, parts of them, or ranges around them ($4 are the
-- first addresses of all ranges that could be).
SELECT l.name, e.value, e.reason, e.actor, e.created_at, e.expires_at
FROM allowlist_entry e JOIN allowlist l ON l.tenant_id = e.tenant_id AND l.id = e.allowlist_id
WHERE e.tenant_id = $1 AND (e.expires_at IS NULL OR e.expires_at > now())
  AND (e.lo >= $2 AND e.lo <= $3 OR e.lo = ANY ($4::inet[]) AND e.hi >= $3)
ORDER BY e.created_at, e.id
LIMIT 100
