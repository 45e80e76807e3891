-- What nobody asks for any more: answers of CAPI that were not renewed for a month; what old engines were given, a week after
-- its end.
WITH g AS (
  DELETE FROM link_given WHERE tenant_id = $1 AND until < now() - interval '8 days' AND ctid = ANY (ARRAY(
    SELECT ctid FROM link_given WHERE tenant_id = $1 AND until < now() - interval '8 days' LIMIT 10000)))
DELETE FROM stream_cache WHERE tenant_id = $1 AND fetched_at < now() - interval '30 days'
