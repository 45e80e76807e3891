SELECT a.id, a.slug, a.rule, a.url, a.token, a.enabled, a.version, a.created_at, a.updated_at,
       CASE WHEN isfinite(a.counts_from) THEN a.counts_from END AS counts_from,
       CASE WHEN a.enabled AND isfinite(l.due_at) THEN l.due_at END AS next_at
FROM analyzer a LEFT JOIN lane l ON l.tenant_id = a.tenant_id AND l.topic = 5 AND l.subject_id = a.id
WHERE a.tenant_id = $1 AND a.id = $2
