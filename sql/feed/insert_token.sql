-- A new token; no row when the feed is not there, or has as many as it may.
INSERT INTO feed_token (tenant_id, feed_id, last4)
SELECT $1, f.id, $4 FROM feed f
WHERE f.tenant_id = $1 AND f.name = $2
  AND (SELECT count(*) FROM feed_token t WHERE t.tenant_id = $1 AND t.feed_id = f.id) < $3::bigint
RETURNING id
