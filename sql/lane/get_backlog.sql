-- What waits and what fails, over all tenants in service, for the metrics: to CAPI, to the tenants' sets, to LAPI servers.
WITH waiting AS (
  SELECT o.topic, count(*) AS rows, min(o.created_at) AS oldest
  FROM outbox o JOIN tenant n ON n.id = o.tenant_id AND n.removed_at IS NULL GROUP BY o.topic),
failing AS (
  SELECT l.topic, count(*) AS lanes FROM lane l JOIN tenant n ON n.id = l.tenant_id AND n.removed_at IS NULL
  WHERE l.failures > 0 GROUP BY l.topic)
SELECT t.topic::smallint AS topic, coalesce(w.rows, 0) AS rows, coalesce(extract(epoch FROM now() - w.oldest), 0)::float8 AS oldest,
       coalesce(f.lanes, 0) AS failing, (SELECT count(*) FROM upstream_login WHERE at > now() - interval '50 minutes') AS logins
FROM generate_series(1, 4) AS t(topic) LEFT JOIN waiting w ON w.topic = t.topic LEFT JOIN failing f ON f.topic = t.topic
ORDER BY t.topic
