-- A new key, unless one is younger than so many days; those before are believed until what they signed has ended.
WITH fresh AS (
  INSERT INTO session_key (salt)
  SELECT $1 WHERE NOT EXISTS (SELECT FROM session_key WHERE created_at > now() - make_interval(days => $2)) RETURNING kid),
old AS (DELETE FROM session_key WHERE retired_at < now() - interval '1 day')
UPDATE session_key SET retired_at = least(retired_at, now() + make_interval(secs => $3))
WHERE (retired_at IS NULL OR retired_at > now()) AND EXISTS (SELECT FROM fresh)
