-- What groups give. What was given by hand stays as it is.
INSERT INTO membership (tenant_id, person_id, role, origin) VALUES ($1, $2, $3, 2)
ON CONFLICT (tenant_id, person_id) DO UPDATE SET role = excluded.role WHERE membership.tenant_id = $1 AND membership.origin = 2
