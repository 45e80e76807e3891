-- Only the version that was read is replaced. A lookback that became longer ($8: seconds of the one before) does not reach
-- back to lines that were left behind: what was acted upon there is forgotten.
UPDATE analyzer SET rule = $4, url = $5, token = $6, enabled = $7, version = version + 1, updated_at = now(),
  counts_from = greatest(counts_from, now() - make_interval(secs => $8))
WHERE tenant_id = $1 AND id = $2 AND version = $3
