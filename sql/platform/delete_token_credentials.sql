DELETE FROM credential WHERE tenant_id = $1 AND kind IN (1, 6) AND subject_id = $2
