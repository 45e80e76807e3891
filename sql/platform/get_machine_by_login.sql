SELECT m.tenant_id, m.id, m.login, m.kind, m.password_hash, n.forward_enabled, n.keeps_decisions, n.dedupe_key, m.delivers, m.takes_back_until > now() AS takes_back
FROM machine_login l
JOIN machine m ON m.tenant_id = l.tenant_id AND m.id = l.machine_id AND m.removed_at IS NULL
JOIN tenant n ON n.id = l.tenant_id AND n.removed_at IS NULL
WHERE l.login = $1
