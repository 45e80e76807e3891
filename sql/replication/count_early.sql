-- How many of these the server said should hold for longer, whatever the origin that ended: of several about the same it tells
-- one alone.
SELECT count(*) AS n FROM decision
WHERE tenant_id = $1 AND source = 2 AND source_id = $2 AND key = ANY ($3::uuid[])
  AND until > now() + interval '5 seconds' AND lifted_at IS NULL
