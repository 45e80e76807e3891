-- What ended: a part of it, because a statement has ten seconds, and what takes longer would never go. Servers end it by
-- themselves. Counts the decisions.
WITH c AS (
  DELETE FROM lapi_copy WHERE tenant_id = $1 AND until < now() - interval '1 minute' AND ctid = ANY (ARRAY(
    SELECT ctid FROM lapi_copy WHERE tenant_id = $1 AND until < now() - interval '1 minute' LIMIT 20000))),
i AS (
  DELETE FROM idempotent_answer WHERE tenant_id = $1 AND created_at < now() - interval '24 hours' AND ctid = ANY (ARRAY(
    SELECT ctid FROM idempotent_answer WHERE tenant_id = $1 AND created_at < now() - interval '24 hours' LIMIT 10000)))
DELETE FROM decision WHERE tenant_id = $1 AND until < now() - interval '10 seconds' AND ctid = ANY (ARRAY(
  SELECT ctid FROM decision WHERE tenant_id = $1 AND until < now() - interval '10 seconds' LIMIT 10000))
