-- What works for the tenant from now on: its engines' ways to CAPI, both ways of each LAPI server, its set, its analyzers.
WITH y AS (
  INSERT INTO lapi_sync (tenant_id, server_id) SELECT $1, id FROM lapi_server WHERE tenant_id = $1 ON CONFLICT DO NOTHING)
INSERT INTO lane (tenant_id, topic, subject_id, due_at)
SELECT $1::int, 1, id, 'infinity'::timestamptz FROM machine WHERE tenant_id = $1 AND removed_at IS NULL
UNION ALL SELECT $1::int, w.topic, l.id, now() FROM lapi_server l CROSS JOIN (VALUES (2), (3)) AS w(topic) WHERE l.tenant_id = $1
UNION ALL SELECT $1::int, 4, 0, now() + interval '5 seconds' WHERE $2::boolean
UNION ALL SELECT $1::int, 5, id, CASE WHEN enabled THEN now() ELSE 'infinity'::timestamptz END FROM analyzer WHERE tenant_id = $1
ON CONFLICT DO NOTHING
