SELECT tenant_id FROM credential WHERE kind = 1 AND subject_id = $1
