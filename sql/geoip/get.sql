SELECT everything, since, before_at, before_id FROM geo_pass WHERE tenant_id = $1 AND finished_at IS NULL
