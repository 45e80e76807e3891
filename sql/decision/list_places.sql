-- The tenant's LAPI servers as delivery sees them: whether they can be written to, and how far they were read and compared.
SELECT l.id, l.name, l.machine_id IS NOT NULL AS can_write, l.replicate_decisions, s.machine_id AS engine, s.compared_at, s.read_at
FROM lapi_server l LEFT JOIN lapi_sync s ON s.tenant_id = l.tenant_id AND s.server_id = l.id
WHERE l.tenant_id = $1
ORDER BY l.name
