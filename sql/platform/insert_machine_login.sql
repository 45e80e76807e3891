INSERT INTO machine_login (login, tenant_id, machine_id) VALUES ($1, $2, $3) ON CONFLICT (login) DO NOTHING
