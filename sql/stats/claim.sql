-- Who folds a tenant's changes: one at a time, until the transaction ends.
SELECT pg_try_advisory_xact_lock(7463217, $1) AS claimed
