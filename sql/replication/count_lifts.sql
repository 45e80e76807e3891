SELECT count(*) AS n FROM decision
WHERE tenant_id = $1 AND source = 2 AND source_id = $2 AND key = ANY ($3::uuid[]) AND lifted_at IS NOT NULL AND NOT lift_done
