-- An API token that is good, by its number.
SELECT t.tenant_id, t.id AS token_id, t.name, t.scope, t.scopes, t.networks, n.name AS tenant,
  n.suspended_at IS NOT NULL AS suspended
FROM api_token t JOIN tenant n ON n.id = t.tenant_id AND n.removed_at IS NULL
WHERE t.tenant_id = $1 AND t.id = $2 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
