INSERT INTO stat_usage (tenant_id, month, received, stored, filtered, forwarded, decisions, bytes)
SELECT $1, r.month, r.received, r.stored, r.filtered, r.forwarded, r.decisions, r.bytes
FROM json_populate_recordset(NULL::stat_usage, $2::text::json) AS r
