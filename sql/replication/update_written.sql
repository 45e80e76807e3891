-- $3: a conversation is open; $4: what is there was compared just now; $5: the server's clock minus ours, where it told.
-- The caller holds the lane: who asked for a comparison since this turn began made the lane due, and is not overruled.
UPDATE lapi_sync SET write_open = $3 OR EXISTS (
    SELECT FROM lane n WHERE n.tenant_id = $1 AND n.topic = 2 AND n.subject_id = $2 AND n.due_at > n.claimed_at AND n.due_at <= clock_timestamp()),
  compared_at = CASE WHEN $4::boolean THEN now() ELSE compared_at END, skew_ms = coalesce($5::bigint, skew_ms)
WHERE tenant_id = $1 AND server_id = $2
