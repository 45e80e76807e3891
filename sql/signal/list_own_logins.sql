-- What Garrison is called on the tenant's LAPI servers, and which engine each is, where that is known.
SELECT l.machine_id AS login, y.machine_id AS engine
FROM lapi_server l LEFT JOIN lapi_sync y ON y.tenant_id = l.tenant_id AND y.server_id = l.id
WHERE l.tenant_id = $1 AND l.machine_id IS NOT NULL
