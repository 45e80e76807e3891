-- When a session ends, and the provider that it came from.
SELECT expires_at, issuer FROM session WHERE id = $1 AND revoked_at IS NULL
