-- What the components of a machine counted; what came before is not counted again.
INSERT INTO usage_metric (tenant_id, machine_id, key, kind, name, collected_at, window_seconds, active_decisions, processed_items,
  dropped_items, processed_bytes, skipped, items)
SELECT $1, $2, s.key, s.kind, s.name, s.collected_at, s.window_seconds, s.active, s.processed, s.dropped, s.bytes, s.skipped, s.items
FROM unnest($3::uuid[], $4::smallint[], $5::text[], $6::timestamptz[], $7::int[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
  $12::int[], $13::text[])
  AS s(key, kind, name, collected_at, window_seconds, active, processed, dropped, bytes, skipped, items)
ON CONFLICT (tenant_id, machine_id, key) DO NOTHING
