-- Its entries go with it.
DELETE FROM allowlist WHERE tenant_id = $1 AND name = $2
