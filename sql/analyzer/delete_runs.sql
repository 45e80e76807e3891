-- All but the last $3, and what is older than $4 days.
DELETE FROM analyzer_run
WHERE tenant_id = $1 AND analyzer_id = $2
  AND (started_at <= now() - make_interval(days => $4)
    OR id <= (SELECT r.id FROM analyzer_run r WHERE r.tenant_id = $1 AND r.analyzer_id = $2 ORDER BY r.id DESC OFFSET $3 LIMIT 1))
