SELECT count(*) AS rules FROM filter_rule WHERE tenant_id = $1
