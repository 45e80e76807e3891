DELETE FROM lane WHERE tenant_id = $1 AND topic = 5 AND subject_id = $2
