-- CAPI no longer takes this token; another one that came meanwhile stays.
UPDATE machine SET upstream_token = NULL WHERE tenant_id = $1 AND id = $2 AND upstream_token = $3
