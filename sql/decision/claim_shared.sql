-- The tenant's set, beside others, until the transaction ends: no allowlist grows meanwhile. A statement of its own,
-- because the one that follows must see what was committed while this one waited.
SELECT pg_advisory_xact_lock_shared(7463218, $1)
