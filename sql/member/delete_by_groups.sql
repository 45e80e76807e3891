DELETE FROM membership WHERE tenant_id = $1 AND person_id = $2 AND origin = 2
