SELECT class, days FROM retention WHERE tenant_id = $1 ORDER BY class
