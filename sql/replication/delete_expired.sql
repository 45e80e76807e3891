-- What ended. Servers end it by themselves.
WITH d AS (DELETE FROM decision WHERE tenant_id = $1 AND until < now() - interval '10 seconds'),
     c AS (DELETE FROM lapi_copy WHERE tenant_id = $1 AND until < now() - interval '1 minute')
DELETE FROM idempotent_answer WHERE tenant_id = $1 AND created_at < now() - interval '24 hours'
