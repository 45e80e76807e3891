SELECT seq, concat_ws(' ', actor, target, details::text, request_id) AS text, source
FROM audit_text WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
