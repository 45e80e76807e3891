-- All credentials of one kind that open one subject.
DELETE FROM credential WHERE tenant_id = $1 AND kind = $2 AND subject_id = $3
