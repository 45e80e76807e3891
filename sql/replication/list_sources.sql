-- The tenant's servers as sources: which engine each is, which agents are behind it, what we are called there, and whether
-- its stream is read.
SELECT l.id, y.machine_id AS engine, l.source_machine_ids, l.machine_id AS login,
       coalesce(y.read_at > now() - interval '1 minute', false) AS read
FROM lapi_server l JOIN lapi_sync y ON y.tenant_id = l.tenant_id AND y.server_id = l.id
WHERE l.tenant_id = $1
