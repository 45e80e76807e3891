-- What was used in the last $2 months of UTC, newest first: what is folded, and what is not yet.
WITH asked AS (
  SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => n))::date AS month FROM generate_series(0, $2::int - 1) AS n),
fresh AS MATERIALIZED (
  SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date AS month, received, cardinality(scenario) AS stored, filtered, forwarded,
         cardinality(decision_length) AS decisions, bytes, machine_id
  FROM stat_delta WHERE tenant_id = $1 AND used),
used AS (
  SELECT month, received, stored, filtered, forwarded, decisions, bytes FROM stat_usage WHERE tenant_id = $1
  UNION ALL
  SELECT month, received, stored, filtered, forwarded, decisions, bytes FROM fresh),
machines AS (
  SELECT month, machine_id FROM stat_usage_machine WHERE tenant_id = $1
  UNION
  SELECT month, machine_id FROM fresh WHERE machine_id IS NOT NULL)
SELECT to_char(a.month, 'YYYY-MM') AS month, coalesce(sum(u.received), 0)::bigint AS received, coalesce(sum(u.stored), 0)::bigint AS stored,
  coalesce(sum(u.filtered), 0)::bigint AS filtered, coalesce(sum(u.forwarded), 0)::bigint AS forwarded,
  coalesce(sum(u.decisions), 0)::bigint AS decisions, coalesce(sum(u.bytes), 0)::bigint AS bytes,
  (SELECT count(*) FROM machines m WHERE m.month = a.month) AS machines
FROM asked a LEFT JOIN used u ON u.month = a.month GROUP BY a.month ORDER BY a.month DESC
