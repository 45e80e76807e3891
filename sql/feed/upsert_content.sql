-- The content is another one from now on; at least a second after the last time, which is as fine as HTTP tells it.
INSERT INTO feed_content AS c (tenant_id, feed_id, slot, hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, feed_id, slot) DO UPDATE SET hash = excluded.hash,
  changed_at = CASE WHEN c.hash = excluded.hash THEN c.changed_at ELSE greatest(excluded.changed_at, c.changed_at + interval '1 second') END
RETURNING changed_at
