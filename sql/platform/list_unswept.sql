-- Tenants, those that were removed too, that nobody sweeps and that were not swept to the end for $1 seconds; the longest
-- waiting first. Of those that were erased nothing is left, and of those that are being imported not all is there yet.
SELECT t.id FROM tenant t LEFT JOIN sweep s ON s.tenant_id = t.id
WHERE (s.swept_at IS NULL OR s.swept_at < now() - make_interval(secs => $1)) AND coalesce(s.lease_until, '-infinity') <= now()
  AND NOT EXISTS (SELECT FROM erasure e WHERE e.tenant_id = t.id AND e.kind = 2)
  AND NOT EXISTS (SELECT FROM tenant_erasure e WHERE e.tenant_id = t.id AND e.importing)
ORDER BY s.swept_at NULLS FIRST, t.id
