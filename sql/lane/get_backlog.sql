-- What waits, over all tenants in service, for the metrics.
WITH waiting AS (
  SELECT count(*) AS rows, min(o.created_at) AS oldest
  FROM outbox o JOIN tenant n ON n.id = o.tenant_id AND n.removed_at IS NULL)
SELECT w.rows, coalesce(extract(epoch FROM now() - w.oldest), 0)::float8 AS oldest,
       (SELECT count(*) FROM lane l JOIN tenant n ON n.id = l.tenant_id AND n.removed_at IS NULL WHERE l.failures > 0) AS failing,
       (SELECT count(*) FROM upstream_login WHERE at > now() - interval '50 minutes') AS logins
FROM waiting w
