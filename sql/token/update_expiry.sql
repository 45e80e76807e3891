-- An end that comes no later than the one it has; none when there is nothing to end.
UPDATE api_token SET expires_at = least(expires_at, now() + make_interval(secs => $3))
WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
