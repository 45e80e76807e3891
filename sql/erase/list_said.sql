-- What is said in the set about addresses from $2 to $3, whether it still holds or not.
SELECT d.key, d.lifted_at IS NOT NULL AS lifted FROM decision d
WHERE d.tenant_id = $1 AND d.lo >= $2 AND d.lo <= $3 AND d.hi <= $3 ORDER BY lifted, d.key LIMIT 5000
