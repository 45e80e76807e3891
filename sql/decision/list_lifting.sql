-- Servers on which something with these keys still stands, by Garrison or by itself.
SELECT l.name, l.machine_id IS NOT NULL AS writable, n.last_error AS error
FROM lapi_server l
LEFT JOIN lane n ON n.tenant_id = l.tenant_id AND n.topic = 2 AND n.subject_id = l.id
WHERE l.tenant_id = $1
  AND (EXISTS (SELECT FROM lapi_copy c WHERE c.tenant_id = $1 AND c.server_id = l.id AND c.key = ANY ($2::uuid[]) AND c.state = 1 AND c.until > now())
    OR EXISTS (SELECT FROM decision d WHERE d.tenant_id = $1 AND d.key = ANY ($2::uuid[]) AND d.source = 2 AND d.source_id = l.id
               AND d.until > now() AND NOT d.lift_done))
ORDER BY l.name
