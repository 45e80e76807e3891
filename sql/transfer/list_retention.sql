SELECT row_to_json(r)::text AS row
FROM (SELECT class, days
  FROM retention WHERE tenant_id = $1 ORDER BY class) r
