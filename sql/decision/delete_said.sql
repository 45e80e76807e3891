-- What a source does not say any more; the keys. Only what it said with these origins.
DELETE FROM decision d USING unnest($4::uuid[], $5::text[]) AS gone(key, origin)
WHERE d.tenant_id = $1 AND d.source = $2 AND d.source_id = $3 AND d.key = gone.key AND d.origin = gone.origin
RETURNING d.key
