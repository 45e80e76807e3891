INSERT INTO rejected_signal (tenant_id, batch_id, item, field, reason, raw_offset, raw_length)
SELECT $1, r.batch_id, r.item, r.field, r.reason, r.raw_offset, r.raw_length
FROM json_populate_recordset(NULL::rejected_signal, $2::text::json) AS r
