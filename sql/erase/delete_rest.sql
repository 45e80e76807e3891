-- All that a tenant has beside alerts and batches, which go before. Of tables that may be large a part: again until nothing
-- goes. A table more has its place here, and in no other file.
WITH x_outbox AS (
  DELETE FROM outbox WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM outbox WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_decision AS (
  DELETE FROM decision WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM decision WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_lapi_copy AS (
  DELETE FROM lapi_copy WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM lapi_copy WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_link_given AS (
  DELETE FROM link_given WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM link_given WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_allowlist_entry AS (
  DELETE FROM allowlist_entry WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM allowlist_entry WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_stat_delta AS (
  DELETE FROM stat_delta WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM stat_delta WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_stat_total AS (
  DELETE FROM stat_total WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM stat_total WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_stat_count AS (
  DELETE FROM stat_count WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM stat_count WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_stat_place AS (
  DELETE FROM stat_place WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM stat_place WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_stat_name AS (
  DELETE FROM stat_name WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM stat_name WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_stat_usage AS (DELETE FROM stat_usage WHERE tenant_id = $1 RETURNING 1),
x_stat_usage_machine AS (
  DELETE FROM stat_usage_machine WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM stat_usage_machine WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_event AS (
  DELETE FROM event WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM event WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_usage_metric AS (
  DELETE FROM usage_metric WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM usage_metric WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_analyzer_mark AS (
  DELETE FROM analyzer_mark WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM analyzer_mark WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_audit_text AS (
  DELETE FROM audit_text WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM audit_text WHERE tenant_id = $1 LIMIT 20000)) RETURNING 1),
x_usage_component AS (DELETE FROM usage_component WHERE tenant_id = $1 RETURNING 1),
x_analyzer_run AS (DELETE FROM analyzer_run WHERE tenant_id = $1 RETURNING 1),
x_analyzer AS (
  DELETE FROM analyzer WHERE tenant_id = $1 AND NOT EXISTS (SELECT FROM analyzer_mark WHERE tenant_id = $1) RETURNING 1),
x_geo_pass AS (DELETE FROM geo_pass WHERE tenant_id = $1 RETURNING 1),
x_lane AS (DELETE FROM lane WHERE tenant_id = $1 RETURNING 1),
x_lapi_sync AS (DELETE FROM lapi_sync WHERE tenant_id = $1 RETURNING 1),
x_lapi_server AS (DELETE FROM lapi_server WHERE tenant_id = $1 RETURNING 1),
x_link_list AS (DELETE FROM link_list WHERE tenant_id = $1 RETURNING 1),
x_stream_cache AS (DELETE FROM stream_cache WHERE tenant_id = $1 RETURNING 1),
x_idempotent_answer AS (DELETE FROM idempotent_answer WHERE tenant_id = $1 RETURNING 1),
x_allowlist AS (DELETE FROM allowlist WHERE tenant_id = $1 RETURNING 1),
x_feed_content AS (DELETE FROM feed_content WHERE tenant_id = $1 RETURNING 1),
x_feed_token AS (DELETE FROM feed_token WHERE tenant_id = $1 RETURNING 1),
x_feed AS (DELETE FROM feed WHERE tenant_id = $1 RETURNING 1),
x_filter_rule AS (DELETE FROM filter_rule WHERE tenant_id = $1 RETURNING 1),
x_filter_set AS (DELETE FROM filter_set WHERE tenant_id = $1 RETURNING 1),
x_api_token AS (DELETE FROM api_token WHERE tenant_id = $1 RETURNING 1),
x_membership AS (DELETE FROM membership WHERE tenant_id = $1 RETURNING 1),
x_invitation AS (DELETE FROM invitation WHERE tenant_id = $1 RETURNING 1),
x_machine AS (DELETE FROM machine WHERE tenant_id = $1 RETURNING 1),
x_retention AS (DELETE FROM retention WHERE tenant_id = $1 RETURNING 1),
x_tenant_limit AS (DELETE FROM tenant_limit WHERE tenant_id = $1 RETURNING 1),
x_sweep AS (DELETE FROM sweep WHERE tenant_id = $1 RETURNING 1)
SELECT 'outbox' AS name, count(*) AS n FROM x_outbox
UNION ALL SELECT 'decision', count(*) FROM x_decision
UNION ALL SELECT 'lapi_copy', count(*) FROM x_lapi_copy
UNION ALL SELECT 'link_given', count(*) FROM x_link_given
UNION ALL SELECT 'allowlist_entry', count(*) FROM x_allowlist_entry
UNION ALL SELECT 'stat_delta', count(*) FROM x_stat_delta
UNION ALL SELECT 'stat_total', count(*) FROM x_stat_total
UNION ALL SELECT 'stat_count', count(*) FROM x_stat_count
UNION ALL SELECT 'stat_place', count(*) FROM x_stat_place
UNION ALL SELECT 'stat_name', count(*) FROM x_stat_name
UNION ALL SELECT 'stat_usage', count(*) FROM x_stat_usage
UNION ALL SELECT 'stat_usage_machine', count(*) FROM x_stat_usage_machine
UNION ALL SELECT 'lane', count(*) FROM x_lane
UNION ALL SELECT 'lapi_sync', count(*) FROM x_lapi_sync
UNION ALL SELECT 'lapi_server', count(*) FROM x_lapi_server
UNION ALL SELECT 'link_list', count(*) FROM x_link_list
UNION ALL SELECT 'stream_cache', count(*) FROM x_stream_cache
UNION ALL SELECT 'idempotent_answer', count(*) FROM x_idempotent_answer
UNION ALL SELECT 'allowlist', count(*) FROM x_allowlist
UNION ALL SELECT 'feed_content', count(*) FROM x_feed_content
UNION ALL SELECT 'feed_token', count(*) FROM x_feed_token
UNION ALL SELECT 'feed', count(*) FROM x_feed
UNION ALL SELECT 'filter_rule', count(*) FROM x_filter_rule
UNION ALL SELECT 'filter_set', count(*) FROM x_filter_set
UNION ALL SELECT 'api_token', count(*) FROM x_api_token
UNION ALL SELECT 'machine', count(*) FROM x_machine
UNION ALL SELECT 'retention', count(*) FROM x_retention
UNION ALL SELECT 'sweep', count(*) FROM x_sweep
UNION ALL SELECT 'event', count(*) FROM x_event
UNION ALL SELECT 'usage_metric', count(*) FROM x_usage_metric
UNION ALL SELECT 'analyzer_mark', count(*) FROM x_analyzer_mark
UNION ALL SELECT 'usage_component', count(*) FROM x_usage_component
UNION ALL SELECT 'analyzer_run', count(*) FROM x_analyzer_run
UNION ALL SELECT 'analyzer', count(*) FROM x_analyzer
UNION ALL SELECT 'geo_pass', count(*) FROM x_geo_pass
UNION ALL SELECT 'membership', count(*) FROM x_membership
UNION ALL SELECT 'invitation', count(*) FROM x_invitation
UNION ALL SELECT 'audit_text', count(*) FROM x_audit_text
UNION ALL SELECT 'tenant_limit', count(*) FROM x_tenant_limit
