-- Nothing tells any more who it was, or which alert had which key.
UPDATE tenant SET name = 'erased ' || id, dedupe_key = $2, forward_enabled = false, keeps_decisions = false,
  removed_at = coalesce(removed_at, now())
WHERE id = $1
