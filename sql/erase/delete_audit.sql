DELETE FROM audit_text WHERE tenant_id = $1 AND seq = ANY ($2)
