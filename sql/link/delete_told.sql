-- Allowlists that have been gone for longer than any machine is worth telling.
DELETE FROM link_list WHERE tenant_id = $1 AND machine_id = $2 AND told_at < now() - interval '90 days'
