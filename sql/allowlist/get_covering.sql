-- The narrowest entry that overlaps the addresses from $2 to $3: one within them, or one around them ($4 are the first
-- addresses of all ranges that could be).
SELECT list, value, reason FROM (
  SELECT a.name AS list, e.value, e.reason, e.lo, e.hi
  FROM allowlist_entry e JOIN allowlist a ON a.tenant_id = e.tenant_id AND a.id = e.allowlist_id
  WHERE e.tenant_id = $1 AND e.lo >= $2 AND e.lo <= $3 AND (e.expires_at IS NULL OR e.expires_at > now())
  UNION ALL
  SELECT a.name, e.value, e.reason, e.lo, e.hi
  FROM allowlist_entry e JOIN allowlist a ON a.tenant_id = e.tenant_id AND a.id = e.allowlist_id
  WHERE e.tenant_id = $1 AND e.lo = ANY ($4::inet[]) AND e.lo < $2 AND e.hi >= $2
    AND (e.expires_at IS NULL OR e.expires_at > now())) x
ORDER BY lo DESC, hi, list LIMIT 1
