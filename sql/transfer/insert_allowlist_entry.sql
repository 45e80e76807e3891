INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi, reason, actor, expires_at, created_at)
SELECT $1, r.allowlist_id, r.value, r.lo, r.hi, r.reason, r.actor, r.expires_at, r.created_at
FROM json_populate_recordset(NULL::allowlist_entry, $2::text::json) AS r
