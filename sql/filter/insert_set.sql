INSERT INTO filter_set (tenant_id, mode) VALUES ($1, $2) ON CONFLICT (tenant_id) DO NOTHING
