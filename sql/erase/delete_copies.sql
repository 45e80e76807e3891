DELETE FROM lapi_copy c USING unnest($2::bigint[], $3::uuid[]) AS g(server_id, key)
WHERE c.tenant_id = $1 AND c.server_id = g.server_id AND c.key = g.key
