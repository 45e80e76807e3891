-- A ban by hand: one row for everywhere ($12 null), or one for each server that was named; a second one of the same thing
-- at the same place replaces the first, and says nothing of other places.
WITH changed AS (
  INSERT INTO decision AS d (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, servers, reason, actor)
  SELECT $1, $2, 3, coalesce(p.server, 0), $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN p.server IS NOT NULL THEN ARRAY[p.server] END, $11, $13
  FROM unnest(CASE WHEN $12::bigint[] IS NULL THEN ARRAY[NULL::bigint] ELSE $12::bigint[] END) AS p(server)
  GROUP BY p.server
  ON CONFLICT (tenant_id, key, source, source_id, origin) DO UPDATE
  SET until = excluded.until, scenario = excluded.scenario, reason = excluded.reason, actor = excluded.actor, since = now(),
      servers = excluded.servers
  RETURNING d.key, d.source, d.source_id, d.origin, d.scope, d.value, d.type, d.scenario, d.until, CASE WHEN d.xmax = '0' THEN 11 ELSE 12 END AS kind)
INSERT INTO event (tenant_id, kind, detail)
SELECT $1, kind, jsonb_agg(to_jsonb(c) - 'kind') FROM changed c GROUP BY kind
