-- The keys that sessions may be signed with, the newest first.
SELECT kid, salt, created_at < now() - interval '5 seconds' AS settled FROM session_key
WHERE retired_at IS NULL OR retired_at > now() ORDER BY kid DESC
