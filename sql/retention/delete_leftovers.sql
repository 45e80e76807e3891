-- What nobody asks for any more: answers of CAPI that were not renewed for a month; what old engines were given, a week after
-- its end; and what was to leave to CAPI more than $2 days ago, whose alerts are gone.
WITH g AS (
  DELETE FROM link_given WHERE tenant_id = $1 AND until < now() - interval '8 days' AND ctid = ANY (ARRAY(
    SELECT ctid FROM link_given WHERE tenant_id = $1 AND until < now() - interval '8 days' LIMIT 10000))),
o AS (
  DELETE FROM outbox WHERE tenant_id = $1 AND topic = 1 AND ctid = ANY (ARRAY(
    SELECT ctid FROM outbox WHERE tenant_id = $1 AND topic = 1 AND created_at < now() - make_interval(days => $2) - interval '1 day' LIMIT 10000)))
DELETE FROM stream_cache WHERE tenant_id = $1 AND fetched_at < now() - interval '30 days'
