-- A session that is good, and whose it is.
SELECT s.person_id, s.token_tenant, s.token_id, s.chosen, p.email, p.is_platform_admin
FROM session s LEFT JOIN person p ON p.id = s.person_id
WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND s.last_seen_at > now() - interval '2 hours'
  AND (s.person_id IS NULL OR p.disabled_at IS NULL)
