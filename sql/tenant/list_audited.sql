-- Whose chains there are to prove: every tenant ever, by the last of a name first.
SELECT t.id, t.name, h.seq IS NOT NULL AS has_head, coalesce(h.seq, 0) AS seq,
       t.removed_at IS NOT NULL AND EXISTS (SELECT FROM erasure e WHERE e.tenant_id = t.id AND e.kind = 2) AS erased
FROM tenant t LEFT JOIN audit_head h ON h.tenant_id = t.id
ORDER BY t.id
