-- $3: a conversation is open; $4: what is there was compared just now; $5: the server's clock minus ours, where it told.
UPDATE lapi_sync SET write_open = $3, compared_at = CASE WHEN $4::boolean THEN now() ELSE compared_at END, skew_ms = coalesce($5::bigint, skew_ms)
WHERE tenant_id = $1 AND server_id = $2
