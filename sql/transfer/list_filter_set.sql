SELECT row_to_json(r)::text AS row
FROM (SELECT mode, version, updated_at
  FROM filter_set WHERE tenant_id = $1 ORDER BY tenant_id) r
