-- Counting and adding a login take turns over all replicas.
SELECT pg_advisory_xact_lock(7463217)
