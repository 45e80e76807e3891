SELECT id, feed_id, last4, created_at, last_used_at FROM feed_token WHERE tenant_id = $1 ORDER BY id
