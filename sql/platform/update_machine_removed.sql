UPDATE machine SET removed_at = now() WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL
