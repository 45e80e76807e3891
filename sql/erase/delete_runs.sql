DELETE FROM analyzer_run r WHERE r.tenant_id = $1 AND r.id = ANY ($2::bigint[])
