INSERT INTO link_given (tenant_id, machine_id, value, type, until, gone_at)
SELECT $1, r.machine_id, r.value, r.type, r.until, r.gone_at
FROM json_populate_recordset(NULL::link_given, $2::text::json) AS r
