-- How far each server that can be written to is with one ban: there, by Garrison or by itself, or refused, or still to come.
SELECT l.id, l.name, l.machine_id IS NOT NULL AS writable,
       coalesce(c.state = 1 AND c.until >= $3::timestamptz - interval '5 seconds', false)
         OR EXISTS (SELECT FROM decision d WHERE d.tenant_id = $1 AND d.key = $2 AND d.source = 2 AND d.source_id = l.id
                    AND d.lifted_at IS NULL AND d.until >= $3::timestamptz - interval '5 seconds') AS delivered,
       CASE WHEN c.state = 2 AND c.until >= $3::timestamptz - interval '5 seconds' THEN c.error END AS refused, n.last_error AS error
FROM lapi_server l
LEFT JOIN lapi_copy c ON c.tenant_id = l.tenant_id AND c.server_id = l.id AND c.key = $2
LEFT JOIN lane n ON n.tenant_id = l.tenant_id AND n.topic = 2 AND n.subject_id = l.id
WHERE l.tenant_id = $1
ORDER BY l.name
