-- A try that was right: none of the person's from there count, and one less of the others.
UPDATE login_throttle SET level = CASE WHEN key = $1 THEN 0 ELSE greatest(0, level - 1) END,
  good_at = CASE WHEN key = $1 THEN now() ELSE good_at END
WHERE key = $1 OR key = ANY ($2)
