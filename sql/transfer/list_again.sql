-- What opens something here and nowhere else.
SELECT 'API token' AS what, name || ' (…' || last4 || ')' AS name FROM api_token
WHERE tenant_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
UNION ALL
SELECT 'feed token', f.name || ' (…' || t.last4 || ')' FROM feed_token t JOIN feed f ON f.tenant_id = t.tenant_id AND f.id = t.feed_id
WHERE t.tenant_id = $1
UNION ALL
SELECT 'invitation', email FROM invitation WHERE tenant_id = $1 AND accepted_at IS NULL AND expires_at > now()
ORDER BY 1, 2
