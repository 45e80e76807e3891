SELECT DISTINCT tenant_id FROM stat_delta
