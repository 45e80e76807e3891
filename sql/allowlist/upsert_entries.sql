-- Entries of one list; what it has already gets the new reason and end. Whether each is new.
INSERT INTO allowlist_entry AS e (tenant_id, allowlist_id, value, lo, hi, reason, expires_at, actor)
SELECT $1, $2, n.value, n.lo, n.hi, n.reason, n.expires_at, $8
FROM unnest($3::text[], $4::inet[], $5::inet[], $6::text[], $7::timestamptz[]) AS n(value, lo, hi, reason, expires_at)
ORDER BY n.value
ON CONFLICT (tenant_id, allowlist_id, value) DO UPDATE
SET reason = excluded.reason, expires_at = excluded.expires_at, actor = excluded.actor
RETURNING e.created_at = now() AS is_new
