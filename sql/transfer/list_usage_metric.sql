SELECT json_strip_nulls(row_to_json(r))::text AS row
FROM (SELECT machine_id, key, kind, name, collected_at, window_seconds, received_at, active_decisions, processed_items,
  dropped_items, processed_bytes, skipped, items
  FROM usage_metric WHERE tenant_id = $1 ORDER BY id) r
