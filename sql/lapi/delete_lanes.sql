-- What was on its way to and from a server that is gone.
WITH o AS (DELETE FROM outbox WHERE tenant_id = $1 AND topic = 2 AND subject_id = $2)
DELETE FROM lane WHERE tenant_id = $1 AND topic IN (2, 3) AND subject_id = $2
