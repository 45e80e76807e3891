-- Also one that was removed: the last of this name.
SELECT id, removed_at IS NOT NULL AS removed FROM tenant WHERE name = $1 ORDER BY removed_at DESC NULLS FIRST LIMIT 1
