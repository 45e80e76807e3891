-- What is on a server now, or was refused there ($9, its reason). $8: it was seen there.
WITH there AS (
  INSERT INTO lapi_copy AS c (tenant_id, server_id, key, scope, value, type, until, state, error, checked_at)
  SELECT $1, $2, s.key, s.scope, s.value, s.type, s.until, CASE WHEN $9::text IS NULL THEN 1 ELSE 2 END, $9,
         CASE WHEN $8::boolean THEN now() END
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[]) AS s(key, scope, value, type, until)
  ON CONFLICT (tenant_id, server_id, key) DO UPDATE
  SET until = excluded.until, state = excluded.state, error = excluded.error,
      placed_at = CASE WHEN $8::boolean THEN c.placed_at ELSE now() END, checked_at = coalesce(excluded.checked_at, c.checked_at)
  RETURNING c.key)
INSERT INTO event (tenant_id, kind, keys, detail)
SELECT $1, CASE WHEN $9::text IS NULL THEN 4 ELSE 5 END, array_agg(key), jsonb_build_object('server', $2::bigint, 'error', $9::text)
FROM there WHERE NOT $8::boolean HAVING count(*) > 0
