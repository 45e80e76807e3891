-- The chain as it is proven, in its order.
SELECT e.seq, e.at, e.actor_kind, e.actor_id, e.action, e.outcome, e.erased, e.digest, e.prev, e.hash,
       t.actor, t.target, t.details::text AS details, t.source, t.request_id
FROM audit_entry e LEFT JOIN audit_text t ON t.tenant_id = e.tenant_id AND t.seq = e.seq
WHERE e.tenant_id = $1 AND e.seq > $2
ORDER BY e.seq LIMIT $3
