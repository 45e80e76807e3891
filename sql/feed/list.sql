SELECT id, name, description, origins, types, scenarios, family, aggregate, max_entries, created_at FROM feed WHERE tenant_id = $1 ORDER BY name
