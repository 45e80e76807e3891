INSERT INTO retention (tenant_id, class, days)
SELECT $1, r.class, r.days
FROM json_populate_recordset(NULL::retention, $2::text::json) AS r
