DELETE FROM feed_token t USING feed f WHERE t.tenant_id = $1 AND f.tenant_id = t.tenant_id AND f.id = t.feed_id AND f.name = $2 AND t.id = $3
