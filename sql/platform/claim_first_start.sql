-- Held by one connection while tenant default is made; other processes wait. Run by the owner, outside a transaction.
SELECT pg_advisory_lock($1)
