SELECT e.id FROM allowlist_entry e WHERE e.tenant_id = $1 AND e.lo >= $2 AND e.lo <= $3 AND e.hi <= $3
