SELECT hash, changed_at FROM feed_content WHERE tenant_id = $1 AND feed_id = $2 AND slot = $3
