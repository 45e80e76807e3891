INSERT INTO tenant_erasure (tenant_id, actor) VALUES ($1, left($2, 255)) ON CONFLICT (tenant_id) DO NOTHING
