SELECT row_to_json(r)::text AS row
FROM (SELECT id, name, description, created_at, updated_at
  FROM allowlist WHERE tenant_id = $1 ORDER BY id) r
