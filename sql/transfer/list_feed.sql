SELECT row_to_json(r)::text AS row
FROM (SELECT name, description, origins, types, scenarios, family, aggregate, max_entries, created_at
  FROM feed WHERE tenant_id = $1 ORDER BY id) r
