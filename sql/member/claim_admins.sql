-- The tenant's admins, held until the end of the transaction, so that two who leave at once do not both find the other.
SELECT person_id FROM membership WHERE tenant_id = $1 AND role = 4 ORDER BY person_id FOR UPDATE
