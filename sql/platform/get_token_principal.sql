-- Whose API token has this hash, and what it reaches; expired and revoked ones are nobody's.
SELECT c.tenant_id, c.subject_id AS token_id, t.name, t.scope, t.scopes, t.networks, n.name AS tenant,
  n.suspended_at IS NOT NULL AS suspended
FROM credential c
JOIN api_token t ON t.tenant_id = c.tenant_id AND t.id = c.subject_id
JOIN tenant n ON n.id = c.tenant_id AND n.removed_at IS NULL
WHERE c.hash = $1 AND c.kind IN (1, 6) AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
