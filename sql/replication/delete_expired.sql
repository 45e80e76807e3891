-- What ended. Servers end it by themselves. And what waits for a server that is gone, or cannot be written to any more: who
-- announced it saw it a moment before; one that can be written to again is compared.
WITH d AS (DELETE FROM decision WHERE tenant_id = $1 AND until < now() - interval '10 seconds'),
     c AS (DELETE FROM lapi_copy WHERE tenant_id = $1 AND until < now() - interval '1 minute'),
     o AS (DELETE FROM outbox o WHERE o.tenant_id = $1 AND o.topic = 2
             AND NOT EXISTS (SELECT FROM lapi_server l WHERE l.tenant_id = $1 AND l.id = o.subject_id AND l.machine_id IS NOT NULL))
DELETE FROM idempotent_answer WHERE tenant_id = $1 AND created_at < now() - interval '24 hours'
