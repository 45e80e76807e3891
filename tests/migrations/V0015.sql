INSERT INTO geo_pass (tenant_id, everything, before_id) VALUES (1, false, 199), (2, true, 299);
