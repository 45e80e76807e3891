-- Held by one transaction while tenant default is made; other processes wait. Run by the owner.
SELECT pg_advisory_xact_lock($1)
