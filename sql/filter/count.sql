SELECT count(*) AS rules, coalesce(sum(length(expression::text)), 0)::bigint AS size FROM filter_rule WHERE tenant_id = $1
