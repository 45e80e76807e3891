SELECT h.seq, h.hash, (SELECT max(e.seq) FROM audit_entry e WHERE e.tenant_id = h.tenant_id) AS last
FROM audit_head h WHERE h.tenant_id = $1
