-- Whose token of CAPI has this hash. A minute of leeway: the SDK uses a token up to 10 s after its end.
SELECT c.kind, c.tenant_id, c.subject_id, m.login, n.forward_enabled, n.keeps_decisions, n.dedupe_key, m.delivers, m.takes_back_until > now() AS takes_back
FROM credential c
LEFT JOIN machine m ON m.tenant_id = c.tenant_id AND m.id = c.subject_id AND m.removed_at IS NULL
LEFT JOIN tenant n ON n.id = c.tenant_id AND n.removed_at IS NULL
WHERE c.hash = $1 AND c.kind IN (2, 4) AND c.expires_at > now() - interval '1 minute'
