SELECT row_to_json(r)::text AS row
FROM (SELECT id, slug, rule, url, token, enabled, counts_from, version, created_at, updated_at
  FROM analyzer WHERE tenant_id = $1 ORDER BY id) r
