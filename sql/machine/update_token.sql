-- A login of our own at CAPI succeeded.
UPDATE machine SET upstream_token = $3, upstream_token_expires = $4, upstream_registered = true, upstream_login_until = '-infinity'
WHERE tenant_id = $1 AND id = $2
