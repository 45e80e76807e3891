SELECT count(*) AS n FROM lapi_copy WHERE tenant_id = $1 AND until > now() AND state = 1
