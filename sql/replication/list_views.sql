-- What is known of some keys at one server: what should be there from elsewhere ($4: it replicates; $5: the engine it is),
-- what it has by itself, what Garrison put there, and what is lifted here but not yet there.
WITH k AS (SELECT DISTINCT key FROM unnest($3::uuid[]) AS a(key)),
wanted AS (
  SELECT DISTINCT ON (d.key) d.key, d.scope, d.value, d.type, d.scenario, d.until
  FROM decision d JOIN k ON k.key = d.key
  WHERE d.tenant_id = $1 AND d.lifted_at IS NULL AND d.until > now()
    AND NOT (d.source = 2 AND d.source_id = $2) AND NOT (d.source = 1 AND d.source_id = coalesce($5::bigint, 0))
    AND ($4::boolean OR d.source = 3 AND (d.servers IS NULL OR $2 = ANY (d.servers)))
  ORDER BY d.key, d.until DESC),
own AS (
  SELECT d.key, max(d.until) FILTER (WHERE d.lifted_at IS NULL) AS until, min(d.scope) AS scope, min(d.value) AS value, min(d.type) AS type,
         coalesce(array_agg(d.origin) FILTER (WHERE d.lifted_at IS NOT NULL AND NOT d.lift_done), '{}') AS lifts
  FROM decision d JOIN k ON k.key = d.key
  WHERE d.tenant_id = $1 AND d.source = 2 AND d.source_id = $2 AND d.until > now()
  GROUP BY d.key),
copy AS (
  SELECT c.key, c.scope, c.value, c.type, c.until, c.state
  FROM lapi_copy c JOIN k ON k.key = c.key
  WHERE c.tenant_id = $1 AND c.server_id = $2)
SELECT k.key, coalesce(w.scope, c.scope, o.scope) AS scope, coalesce(w.value, c.value, o.value) AS value,
       coalesce(w.type, c.type, o.type) AS type, w.scenario, w.until AS wanted, o.until AS own, o.lifts,
       c.until AS copy, c.state AS copy_state
FROM k LEFT JOIN wanted w ON w.key = k.key LEFT JOIN own o ON o.key = k.key LEFT JOIN copy c ON c.key = k.key
WHERE w.key IS NOT NULL OR c.key IS NOT NULL OR o.key IS NOT NULL
ORDER BY k.key
