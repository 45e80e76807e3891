SELECT tenant_id FROM geo_pass WHERE finished_at IS NULL ORDER BY tenant_id
