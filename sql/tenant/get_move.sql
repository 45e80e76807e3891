-- What a tenant takes along beside its rows.
SELECT forward_enabled, keeps_decisions, decisions_complete, dedupe_key FROM tenant WHERE id = $1 AND removed_at IS NULL
