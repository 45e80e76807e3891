SELECT person_id, role, origin, created_at FROM membership WHERE tenant_id = $1 AND person_id = $2
