SELECT json_strip_nulls(row_to_json(r))::text AS row
FROM (SELECT machine_id, value, type, until, gone_at
  FROM link_given WHERE tenant_id = $1 ORDER BY machine_id, value) r
