-- Where a person belongs.
SELECT m.tenant_id, m.role, m.origin, n.name AS tenant, n.suspended_at IS NOT NULL AS suspended
FROM membership m JOIN tenant n ON n.id = m.tenant_id AND n.removed_at IS NULL
WHERE m.person_id = $1 ORDER BY n.name
