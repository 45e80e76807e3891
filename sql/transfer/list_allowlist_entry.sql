SELECT row_to_json(r)::text AS row
FROM (SELECT allowlist_id, value, lo, hi, reason, actor, expires_at, created_at
  FROM allowlist_entry WHERE tenant_id = $1 ORDER BY id) r
