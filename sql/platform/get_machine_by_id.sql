-- The machine of a session token of ours, while it is neither removed nor moved.
SELECT m.tenant_id, m.id, m.login, n.forward_enabled, n.keeps_decisions, n.dedupe_key, m.delivers, m.takes_back_until > now() AS takes_back
FROM machine m JOIN tenant n ON n.id = m.tenant_id AND n.removed_at IS NULL
WHERE m.tenant_id = $1 AND m.id = $2 AND m.removed_at IS NULL
