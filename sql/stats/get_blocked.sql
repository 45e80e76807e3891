-- What bouncers dropped in the last 30 days; no more than a JSON number holds exactly.
SELECT least(coalesce(sum(dropped_items), 0), 9007199254740991)::bigint AS blocked
FROM usage_metric
WHERE tenant_id = $1 AND kind = 1 AND dropped_items > 0 AND collected_at >= now() - interval '30 days'
