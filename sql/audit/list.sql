SELECT e.seq, e.at, e.actor_kind, e.actor_id, e.action, e.outcome, encode(e.hash, 'hex') AS hash,
       t.actor, t.target, t.details::text AS details, t.source, t.request_id
FROM audit_entry e LEFT JOIN audit_text t ON t.tenant_id = e.tenant_id AND t.seq = e.seq
WHERE e.tenant_id = $1 AND e.seq < $2
  AND ($3::smallint IS NULL OR e.actor_kind = $3)
  AND ($4::bigint IS NULL OR e.actor_id = $4)
  AND ($5::text IS NULL OR t.actor = $5)
  AND ($6::text IS NULL OR e.action = $6)
  AND ($7::text IS NULL OR t.target = $7)
  AND ($8::smallint IS NULL OR e.outcome = $8)
  AND ($9::timestamptz IS NULL OR e.at >= $9)
  AND ($10::timestamptz IS NULL OR e.at <= $10)
ORDER BY e.seq DESC LIMIT $11
