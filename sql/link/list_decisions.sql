-- The tenant's set as a machine is to have it: what only it itself said is left out, and what the LAPI server that it is
-- said; of bans by hand for some servers, those for it.
SELECT d.scope, d.value, d.type, max(d.until) AS until
FROM decision d
WHERE d.tenant_id = $1 AND d.until > now() AND d.lifted_at IS NULL AND d.lo IS NOT NULL
  AND NOT (d.source = 1 AND d.source_id = $2)
  AND NOT (d.source = 2 AND EXISTS (
    SELECT FROM lapi_sync s WHERE s.tenant_id = d.tenant_id AND s.server_id = d.source_id AND s.machine_id = $2))
  AND (d.servers IS NULL OR EXISTS (
    SELECT FROM lapi_sync s WHERE s.tenant_id = d.tenant_id AND s.server_id = ANY (d.servers) AND s.machine_id = $2))
GROUP BY d.scope, d.value, d.type
