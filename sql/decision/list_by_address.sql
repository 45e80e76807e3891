-- Everything that is said of the addresses from $2 to $3: of these and parts of them, and of ranges around them ($4 are
-- the first addresses of all ranges that could be). Of a wide block the first 500 rows by address: they are read from
-- the index in order, so that it costs no more than an address does.
(SELECT key, source, source_id, origin, scope, value, type, scenario, until, uuid, servers, reason, actor, since, lifted_at
 FROM decision
 WHERE tenant_id = $1 AND until > now() AND lo >= $2 AND lo <= $3
 ORDER BY lo LIMIT 500)
UNION ALL
(SELECT key, source, source_id, origin, scope, value, type, scenario, until, uuid, servers, reason, actor, since, lifted_at
 FROM decision
 WHERE tenant_id = $1 AND until > now() AND lo = ANY ($4::inet[]) AND lo < $2 AND lo <> hi AND hi >= $3
 LIMIT 500)
ORDER BY since, key, source, source_id, origin
