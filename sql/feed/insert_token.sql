-- A new token of a feed; no row when the feed has as many as it may.
INSERT INTO feed_token (tenant_id, feed_id, last4)
SELECT $1, $2, $4
WHERE (SELECT count(*) FROM feed_token WHERE tenant_id = $1 AND feed_id = $2) < $3::bigint
RETURNING id
