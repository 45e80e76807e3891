-- The tenant's set, alone, until the transaction ends: who adds to an allowlist waits for those that take decisions up,
-- and they for it, so that neither misses what the other is about to commit.
SELECT pg_advisory_xact_lock(7463218, $1)
