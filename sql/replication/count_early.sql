-- How many of these the server said should hold for longer.
SELECT count(*) AS n FROM decision d, unnest($3::uuid[], $4::text[]) AS gone(key, origin)
WHERE d.tenant_id = $1 AND d.source = 2 AND d.source_id = $2 AND d.key = gone.key AND d.origin = gone.origin
  AND d.until > now() + interval '5 seconds' AND d.lifted_at IS NULL
