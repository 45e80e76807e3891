-- What ended: a part of it, because a statement has ten seconds, and what takes longer would never go. Servers end it by
-- themselves. And what waits for a server that is gone, or cannot be written to any more: who announced it saw it a moment
-- before; one that can be written to again is compared. Counts the decisions.
WITH c AS (
  DELETE FROM lapi_copy WHERE tenant_id = $1 AND until < now() - interval '1 minute' AND ctid = ANY (ARRAY(
    SELECT ctid FROM lapi_copy WHERE tenant_id = $1 AND until < now() - interval '1 minute' LIMIT 20000))),
i AS (
  DELETE FROM idempotent_answer WHERE tenant_id = $1 AND created_at < now() - interval '24 hours' AND ctid = ANY (ARRAY(
    SELECT ctid FROM idempotent_answer WHERE tenant_id = $1 AND created_at < now() - interval '24 hours' LIMIT 10000))),
o AS (
  DELETE FROM outbox WHERE tenant_id = $1 AND topic = 2 AND ctid = ANY (ARRAY(
    SELECT w.ctid FROM outbox w WHERE w.tenant_id = $1 AND w.topic = 2
      AND NOT EXISTS (SELECT FROM lapi_server l WHERE l.tenant_id = $1 AND l.id = w.subject_id AND l.machine_id IS NOT NULL) LIMIT 10000))),
gone AS (
  DELETE FROM decision WHERE tenant_id = $1 AND until < now() - interval '10 seconds' AND ctid = ANY (ARRAY(
    SELECT ctid FROM decision WHERE tenant_id = $1 AND until < now() - interval '10 seconds' LIMIT 10000))
  RETURNING key, source, source_id, origin, scope, value, type, scenario, until),
told AS (
  INSERT INTO event (tenant_id, kind, detail)
  SELECT $1, 15, jsonb_agg(to_jsonb(g) - 'part')
  FROM (SELECT gone.*, row_number() OVER () / 100 AS part FROM gone) g GROUP BY part)
SELECT key FROM gone
