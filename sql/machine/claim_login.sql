-- One of all replicas logs a machine in at a time.
UPDATE machine SET upstream_login_until = now() + interval '45 seconds'
WHERE tenant_id = $1 AND id = $2 AND upstream_login_until < now()
