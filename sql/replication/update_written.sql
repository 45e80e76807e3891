-- $3: a conversation is open; $4: what is there was compared just now; $5: the server's clock minus ours, where it told.
-- Who made the lane due since it was claimed wants a comparison that this turn did not make: it stays open then.
UPDATE lapi_sync SET write_open = $3 OR EXISTS (SELECT FROM lane l WHERE l.tenant_id = $1 AND l.topic = 2 AND l.subject_id = $2
    AND l.due_at > l.claimed_at AND l.due_at <= now()),
  compared_at = CASE WHEN $4::boolean THEN now() ELSE compared_at END, skew_ms = coalesce($5::bigint, skew_ms)
WHERE tenant_id = $1 AND server_id = $2
