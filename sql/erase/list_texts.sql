-- The next alerts with all that was said in them, in the order of `update_texts`; without those about addresses from $4 to
-- $5, which go whole.
SELECT a.key, a.source_lo, a.source_hi,
  ARRAY[a.message, a.leakspeed, a.agent, a.uuid, a.scenario, a.source_value, a.source_ip, a.source_range, a.source_as_name, a.source_cn,
    a.filter_reasons, a.forward_error, a.actor, a.raw_json]::text[] AS texts
FROM alert a WHERE a.tenant_id = $1 AND a.key > $2
  AND (a.local_audit OR a.source_lo IS NULL OR NOT (a.source_lo >= $4 AND a.source_hi <= $5)) ORDER BY a.key LIMIT $3
