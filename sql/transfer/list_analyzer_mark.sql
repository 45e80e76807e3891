SELECT row_to_json(r)::text AS row
FROM (SELECT analyzer_id, value, acted_ns
  FROM analyzer_mark WHERE tenant_id = $1 ORDER BY analyzer_id, value) r
