-- Everything that is said of the addresses from $2 to $3: exactly these, parts of them, and ranges around them ($4 are
-- the first addresses of all ranges that could be).
SELECT key, source, source_id, origin, scope, value, type, scenario, until, uuid, servers, reason, actor, since, lifted_at
FROM decision
WHERE tenant_id = $1 AND until > now() AND lo >= $2 AND lo <= $3
UNION
SELECT key, source, source_id, origin, scope, value, type, scenario, until, uuid, servers, reason, actor, since, lifted_at
FROM decision
WHERE tenant_id = $1 AND until > now() AND lo = ANY ($4::inet[]) AND lo <> hi AND hi >= $3
ORDER BY since, key, source, source_id, origin
LIMIT 1000
