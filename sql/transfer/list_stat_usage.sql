-- What is folded, and what is not yet.
SELECT row_to_json(r)::text AS row
FROM (SELECT month, sum(received)::bigint AS received, sum(stored)::bigint AS stored, sum(filtered)::bigint AS filtered,
        sum(forwarded)::bigint AS forwarded, sum(decisions)::bigint AS decisions, sum(bytes)::bigint AS bytes
      FROM (SELECT month, received, stored, filtered, forwarded, decisions, bytes FROM stat_usage WHERE tenant_id = $1
            UNION ALL
            SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date, greatest(received, cardinality(scenario)), cardinality(scenario),
              filtered, forwarded, cardinality(decision_length), bytes
            FROM stat_delta WHERE tenant_id = $1 AND used) u
      GROUP BY month) r
