-- Who looks up a tenant's alerts: one at a time, until the transaction ends.
SELECT pg_try_advisory_xact_lock(7463515, $1) AS claimed
