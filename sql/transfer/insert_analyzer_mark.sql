INSERT INTO analyzer_mark (tenant_id, analyzer_id, value, acted_ns)
SELECT $1, r.analyzer_id, r.value, r.acted_ns
FROM json_populate_recordset(NULL::analyzer_mark, $2::text::json) AS r
