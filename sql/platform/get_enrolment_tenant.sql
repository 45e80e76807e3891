SELECT n.id, n.forward_enabled FROM credential c JOIN tenant n ON n.id = c.tenant_id AND n.removed_at IS NULL
WHERE c.hash = $1 AND c.kind = 3
