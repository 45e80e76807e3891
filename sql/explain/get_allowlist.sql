-- The tenant's first allowlist.
SELECT name FROM allowlist WHERE tenant_id = $1 ORDER BY id LIMIT 1
