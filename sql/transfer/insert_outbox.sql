INSERT INTO outbox (tenant_id, topic, subject_id, keys)
SELECT $1, 4, 0, r.keys FROM json_populate_recordset(NULL::outbox, $2::text::json) AS r
