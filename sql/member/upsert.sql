INSERT INTO membership (tenant_id, person_id, role) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, person_id) DO UPDATE SET role = excluded.role, origin = 1 WHERE membership.tenant_id = $1
