SELECT row_to_json(r)::text AS row
FROM (SELECT id, name, enabled, description, expression, version, created_at, updated_at
  FROM filter_rule WHERE tenant_id = $1 ORDER BY id) r
