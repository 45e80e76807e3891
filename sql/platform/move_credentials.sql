-- The tokens a machine holds go with it when it moves to another tenant.
UPDATE credential SET tenant_id = $3, subject_id = $4 WHERE tenant_id = $1 AND kind = 2 AND subject_id = $2
