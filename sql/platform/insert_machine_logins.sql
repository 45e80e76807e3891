-- The logins of a tenant's machines, but those that another one has.
INSERT INTO machine_login (login, tenant_id, machine_id)
SELECT login, tenant_id, id FROM machine WHERE tenant_id = $1 AND removed_at IS NULL
ON CONFLICT (login) DO NOTHING
