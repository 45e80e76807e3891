-- Who says what should hold, and until when; the keys of what changed. A server's stream is the truth about that server;
-- of signals, the later end counts. What an allowlist covers is not taken up; what stands on a server all the same is
-- marked to be lifted there. A decision that was lifted here is a new one only when its end or its name is.
WITH said AS (
  SELECT DISTINCT ON (s.key, s.source, s.source_id, s.origin) s.*,
    -- An entry within it, or one around it that begins where one may (none is wider than /8 and /19): never through all
    -- of 50,000.
    s.lo IS NOT NULL AND EXISTS (SELECT FROM allowlist_entry e WHERE e.tenant_id = $1)
      AND (EXISTS (SELECT FROM allowlist_entry e WHERE e.tenant_id = $1 AND e.lo >= s.lo AND e.lo <= s.hi
             AND (e.expires_at IS NULL OR e.expires_at > now()))
        OR EXISTS (SELECT FROM allowlist_entry e WHERE e.tenant_id = $1 AND e.hi >= s.lo
             AND e.lo = ANY (ARRAY(SELECT set_masklen(network(set_masklen(s.lo, p.bits))::inet, masklen(s.lo))
               FROM generate_series(CASE family(s.lo) WHEN 4 THEN 8 ELSE 19 END, masklen(s.lo)) AS p(bits)))
             AND (e.expires_at IS NULL OR e.expires_at > now()))) AS allowed
  FROM unnest($2::uuid[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::inet[], $11::inet[], $12::timestamptz[], $13::text[])
    AS s(key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, uuid)
  WHERE s.until > now()
  ORDER BY s.key, s.source, s.source_id, s.origin, s.until DESC),
changed AS (
  INSERT INTO decision AS d (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, uuid, lifted_at)
  SELECT $1, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, uuid, CASE WHEN allowed THEN now() END
  FROM said WHERE NOT allowed OR source = 2
  ORDER BY key
  ON CONFLICT (tenant_id, key, source, source_id, origin) DO UPDATE
  SET until = CASE WHEN d.source = 2 THEN excluded.until ELSE greatest(d.until, excluded.until) END,
      uuid = coalesce(excluded.uuid, d.uuid), scenario = excluded.scenario, lifted_at = excluded.lifted_at, lift_done = false
  WHERE (abs(extract(epoch FROM excluded.until - d.until)) > 2 AND (d.source = 2 OR excluded.until > d.until)
      OR excluded.lifted_at IS NOT NULL AND d.lifted_at IS NULL
      OR d.lifted_at IS NOT NULL AND excluded.lifted_at IS NULL AND excluded.uuid <> d.uuid)
    AND (d.lifted_at IS NULL OR excluded.until > d.until + interval '5 s' OR excluded.uuid <> d.uuid
      OR d.lift_done AND excluded.until < d.until - interval '5 s')
  RETURNING d.key, d.source, d.source_id, d.origin, d.scope, d.value, d.type, d.scenario, d.until,
      CASE WHEN d.lifted_at IS NOT NULL THEN 13 WHEN d.xmax = '0' THEN 11 ELSE 12 END AS kind),
told AS (
  INSERT INTO event (tenant_id, kind, detail)
  SELECT $1, kind, jsonb_agg(to_jsonb(c) - 'part' - 'kind')
  FROM (SELECT changed.*, row_number() OVER (PARTITION BY kind) / 100 AS part FROM changed) c GROUP BY kind, part)
SELECT key FROM changed
