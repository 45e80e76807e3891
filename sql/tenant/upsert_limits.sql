INSERT INTO tenant_limit (tenant_id, token_requests, tenant_requests, tenant_items, tenant_bytes, machine_items, machine_bytes,
  pushes, reads, heavy, changes, streams, rules, lapi_servers)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (tenant_id) DO UPDATE SET token_requests = excluded.token_requests, tenant_requests = excluded.tenant_requests,
  tenant_items = excluded.tenant_items, tenant_bytes = excluded.tenant_bytes, machine_items = excluded.machine_items,
  machine_bytes = excluded.machine_bytes, pushes = excluded.pushes, reads = excluded.reads, heavy = excluded.heavy,
  changes = excluded.changes, streams = excluded.streams, rules = excluded.rules, lapi_servers = excluded.lapi_servers
