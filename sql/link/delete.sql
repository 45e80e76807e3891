-- Forgets what a machine was given.
WITH given AS (DELETE FROM link_given WHERE tenant_id = $1 AND machine_id = $2)
DELETE FROM link_list WHERE tenant_id = $1 AND machine_id = $2
