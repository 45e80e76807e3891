-- The tokens of a login without a tenant become those of the machine it now is.
UPDATE credential SET kind = 2, tenant_id = $2, subject_id = $3 WHERE kind = 4 AND subject_id = $1
