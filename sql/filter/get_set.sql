SELECT mode, version FROM filter_set WHERE tenant_id = $1
