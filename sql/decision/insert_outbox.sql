-- Tells the lanes of the tenant's LAPI servers which keys to look at: those that replicate, or all that can be written to.
INSERT INTO outbox (tenant_id, topic, subject_id, keys)
SELECT $1, 2, l.id, k.keys
FROM lapi_server l,
  (SELECT array_agg(key) AS keys
   FROM (SELECT key, (row_number() OVER (ORDER BY key) - 1) / 50 AS part
         FROM (SELECT DISTINCT key FROM unnest($2::uuid[]) AS a(key)) b) c
   GROUP BY part) k
WHERE l.tenant_id = $1 AND l.machine_id IS NOT NULL AND (l.replicate_decisions OR $3::boolean)
