-- Moves a login to another tenant.
UPDATE machine_login SET tenant_id = $2, machine_id = $3 WHERE login = $1
