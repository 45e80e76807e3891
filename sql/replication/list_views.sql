-- What is known of some keys at one server: what should be there from elsewhere ($4: it replicates; $5: the engine it is),
-- what it has by itself, what Garrison put there, and what is lifted here but not yet there. Key by key, each by the
-- primary key: joined as sets, a table that grew since it was last analysed is compared with every key.
WITH k AS MATERIALIZED (SELECT DISTINCT key FROM unnest($3::uuid[]) AS a(key))
SELECT k.key, coalesce(w.scope, c.scope, o.scope) AS scope, coalesce(w.value, c.value, o.value) AS value,
       coalesce(w.type, c.type, o.type) AS type, w.scenario, w.until AS wanted, o.until AS own, o.lifts,
       c.until AS copy, c.state AS copy_state
FROM k
LEFT JOIN LATERAL (
  SELECT s.scope, s.value, s.type, s.scenario, s.until
  FROM (SELECT d.scope, d.value, d.type, d.scenario, d.until FROM decision d
        WHERE d.tenant_id = $1 AND d.key = k.key AND d.lifted_at IS NULL AND d.until > now()
          AND NOT (d.source = 2 AND d.source_id = $2) AND NOT (d.source = 1 AND d.source_id = coalesce($5::bigint, 0))
          AND ($4::boolean OR d.source IN (3, 4) AND (d.servers IS NULL OR $2 = ANY (d.servers)))
        OFFSET 0) s
  ORDER BY s.until DESC LIMIT 1) w ON true
LEFT JOIN LATERAL (
  SELECT max(d.until) FILTER (WHERE d.lifted_at IS NULL) AS until, min(d.scope) AS scope, min(d.value) AS value, min(d.type) AS type,
         coalesce(array_agg(d.origin) FILTER (WHERE d.lifted_at IS NOT NULL AND NOT d.lift_done), '{}') AS lifts
  FROM (SELECT e.* FROM decision e WHERE e.tenant_id = $1 AND e.key = k.key AND e.until > now() OFFSET 0) d
  WHERE d.source = 2 AND d.source_id = $2) o ON true
LEFT JOIN LATERAL (
  SELECT p.scope, p.value, p.type, p.until, p.state FROM lapi_copy p
  WHERE p.tenant_id = $1 AND p.server_id = $2 AND p.key = k.key OFFSET 0) c ON true
WHERE w.scope IS NOT NULL OR c.scope IS NOT NULL OR o.scope IS NOT NULL
ORDER BY k.key
