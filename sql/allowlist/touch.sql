-- An entry of it changed.
UPDATE allowlist SET updated_at = now() WHERE tenant_id = $1 AND id = $2
