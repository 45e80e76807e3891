-- They are lifted on the server, too.
UPDATE decision SET lift_done = true
WHERE tenant_id = $1 AND source = 2 AND source_id = $2 AND key = ANY ($3::uuid[]) AND lifted_at IS NOT NULL
