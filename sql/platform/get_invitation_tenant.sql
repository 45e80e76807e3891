-- Whose invitation has this hash.
SELECT c.tenant_id, c.subject_id AS invitation_id FROM credential c
JOIN tenant n ON n.id = c.tenant_id AND n.removed_at IS NULL AND n.suspended_at IS NULL
WHERE c.hash = $1 AND c.kind = 7 AND c.expires_at > now()
