-- What was used in the last $2 months of UTC: what is folded, and what is not yet. A month without any is left out.
WITH fresh AS MATERIALIZED (
  SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date AS month, greatest(received, cardinality(scenario)) AS received,
         cardinality(scenario) AS stored, filtered, forwarded, cardinality(decision_length) AS decisions, bytes, machine_id
  FROM stat_delta WHERE tenant_id = $1 AND used),
used AS (
  SELECT month, received, stored, filtered, forwarded, decisions, bytes FROM stat_usage WHERE tenant_id = $1
  UNION ALL
  SELECT month, received, stored, filtered, forwarded, decisions, bytes FROM fresh),
machines AS (
  SELECT month, machine_id FROM stat_usage_machine WHERE tenant_id = $1
  UNION
  SELECT month, machine_id FROM fresh WHERE machine_id IS NOT NULL)
SELECT to_char(u.month, 'YYYY-MM') AS month, sum(u.received)::bigint AS received, sum(u.stored)::bigint AS stored,
  sum(u.filtered)::bigint AS filtered, sum(u.forwarded)::bigint AS forwarded, sum(u.decisions)::bigint AS decisions,
  sum(u.bytes)::bigint AS bytes, (SELECT count(*) FROM machines m WHERE m.month = u.month) AS machines
FROM used u
WHERE u.month > date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => $2::int)
GROUP BY u.month
