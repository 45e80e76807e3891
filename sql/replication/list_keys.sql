-- The next keys that anything is known of, for one server.
SELECT key FROM (
  (SELECT DISTINCT d.key FROM decision d WHERE d.tenant_id = $1 AND d.key > $3 ORDER BY d.key LIMIT $4)
  UNION
  (SELECT c.key FROM lapi_copy c WHERE c.tenant_id = $1 AND c.server_id = $2 AND c.key > $3 ORDER BY c.key LIMIT $4)) a
ORDER BY key LIMIT $4
