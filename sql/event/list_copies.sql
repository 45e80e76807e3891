-- What was put on a LAPI server or refused there, as far as it is still known.
SELECT c.key, c.scope, c.value, c.type, c.until, l.name AS server
FROM lapi_copy c JOIN lapi_server l ON l.tenant_id = c.tenant_id AND l.id = c.server_id
WHERE c.tenant_id = $1 AND c.server_id = $2 AND c.key = ANY ($3::uuid[])
