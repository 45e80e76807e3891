INSERT INTO tenant (name, dedupe_key, forward_enabled) VALUES ($1, $2, $3) ON CONFLICT (name) WHERE removed_at IS NULL DO NOTHING
RETURNING id
