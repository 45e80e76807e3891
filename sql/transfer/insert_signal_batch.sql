INSERT INTO signal_batch (tenant_id, id, machine_id, api_version, received_at, received, stored, duplicate, rejected, filtered, body)
SELECT $1, r.id, r.machine_id, r.api_version, r.received_at, r.received, r.stored, r.duplicate, r.rejected, r.filtered,
  r.body
FROM json_populate_recordset(NULL::signal_batch, $2::text::json) AS r
