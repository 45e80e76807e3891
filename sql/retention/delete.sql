DELETE FROM retention WHERE tenant_id = $1 AND NOT class = ANY ($2::smallint[])
