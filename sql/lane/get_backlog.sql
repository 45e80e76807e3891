-- What waits, over all tenants, for the metrics.
SELECT (SELECT count(*) FROM outbox) AS rows,
       (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 FROM outbox) AS oldest,
       (SELECT count(*) FROM lane WHERE failures > 0) AS failing,
       (SELECT count(*) FROM upstream_login WHERE at > now() - interval '50 minutes') AS logins
