INSERT INTO usage_metric (tenant_id, machine_id, key, kind, name, collected_at, window_seconds, received_at, active_decisions,
  processed_items, dropped_items, processed_bytes, skipped, items)
SELECT $1, r.machine_id, r.key, r.kind, r.name, r.collected_at, r.window_seconds, r.received_at, r.active_decisions,
  r.processed_items, r.dropped_items, r.processed_bytes, r.skipped, r.items
FROM json_populate_recordset(NULL::usage_metric, $2::text::json) AS r
