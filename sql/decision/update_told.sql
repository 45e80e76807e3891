-- Where, why and by whom, of what an analyzer said a moment ago; servers null is everywhere.
UPDATE decision SET servers = $4, reason = $5, actor = $6
WHERE tenant_id = $1 AND source = 4 AND source_id = $2 AND key = ANY ($3::uuid[])
