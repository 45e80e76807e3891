SELECT token_requests, tenant_requests, tenant_items, tenant_bytes, machine_items, machine_bytes, pushes, reads, heavy, changes,
  streams, rules, lapi_servers
FROM tenant_limit WHERE tenant_id = $1
