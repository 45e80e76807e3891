-- The tenant's newest allowlist.
SELECT name FROM allowlist WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1
