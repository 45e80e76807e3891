-- How each server stands: what should be on it because of what others say, what Garrison put there, what was seen there
-- when all was last compared; its two lanes, and what waits.
WITH live AS (
  SELECT d.key, d.source, d.source_id, d.servers, d.until FROM decision d
  WHERE d.tenant_id = $1 AND d.lifted_at IS NULL AND d.until > now() + interval '2 seconds'),
k AS (SELECT key, count(*) AS sayings, min(source) AS source, min(source_id) AS source_id FROM live GROUP BY key),
single AS (SELECT source_id, count(*) AS n FROM k WHERE sayings = 1 AND source = 2 GROUP BY source_id),
multi AS (SELECT live.* FROM live JOIN k ON k.key = live.key WHERE k.sayings > 1),
put AS (
  SELECT c.server_id, count(*) FILTER (WHERE c.state = 1) AS delivered, count(*) FILTER (WHERE c.state = 2) AS refused,
         count(*) FILTER (WHERE c.state = 1 AND c.checked_at IS NOT NULL) AS present
  FROM lapi_copy c WHERE c.tenant_id = $1 AND c.until > now() + interval '2 seconds' GROUP BY c.server_id),
waiting AS (
  SELECT o.subject_id, sum(cardinality(o.keys)) AS n, min(o.created_at) AS since FROM outbox o
  WHERE o.tenant_id = $1 AND o.topic = 2 GROUP BY o.subject_id)
SELECT l.id,
  CASE WHEN l.machine_id IS NULL THEN 0
       WHEN l.replicate_decisions THEN (SELECT count(*) FROM k WHERE sayings = 1) - coalesce(s.n, 0)
         + (SELECT count(*) FROM (
              SELECT max(m.until) FILTER (WHERE NOT (m.source = 2 AND m.source_id = l.id)) AS theirs,
                     max(m.until) FILTER (WHERE m.source = 2 AND m.source_id = l.id) AS own
              FROM multi m GROUP BY m.key) x
            WHERE x.theirs IS NOT NULL AND (x.own IS NULL OR x.own < x.theirs - interval '4 seconds'))
       ELSE (SELECT count(DISTINCT key) FROM live WHERE source IN (3, 4) AND (servers IS NULL OR l.id = ANY (servers)))
  END AS wanted,
  coalesce(p.delivered, 0) AS delivered, coalesce(p.refused, 0) AS refused, coalesce(p.present, 0) AS present,
  coalesce(w.n, 0)::bigint AS waiting, w.since AS waiting_since,
  y.read_at, y.full_at, y.compared_at, y.skew_ms, y.machine_id AS engine,
  o.failures AS out_failures, o.last_error AS out_error, o.last_ok_at AS out_ok, o.next_try_at AS out_next, o.lease_until > now() AS out_busy,
  i.failures AS in_failures, i.last_error AS in_error, i.last_ok_at AS in_ok
FROM lapi_server l
LEFT JOIN single s ON s.source_id = l.id
LEFT JOIN put p ON p.server_id = l.id
LEFT JOIN waiting w ON w.subject_id = l.id
LEFT JOIN lapi_sync y ON y.tenant_id = l.tenant_id AND y.server_id = l.id
LEFT JOIN lane o ON o.tenant_id = l.tenant_id AND o.topic = 2 AND o.subject_id = l.id
LEFT JOIN lane i ON i.tenant_id = l.tenant_id AND i.topic = 3 AND i.subject_id = l.id
WHERE l.tenant_id = $1 AND ($2::bigint IS NULL OR l.id = $2)
