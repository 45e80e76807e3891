SELECT tenant_id FROM credential WHERE kind IN (1, 6) AND subject_id = $1
