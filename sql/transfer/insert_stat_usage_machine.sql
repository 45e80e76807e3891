INSERT INTO stat_usage_machine (tenant_id, month, machine_id)
SELECT $1, r.month, r.machine_id FROM json_populate_recordset(NULL::stat_usage_machine, $2::text::json) AS r
