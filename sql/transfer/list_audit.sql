-- The trail with its words, details to the byte.
SELECT row_to_json(r)::text AS row
FROM (SELECT e.seq, e.at, e.actor_kind, e.action, e.outcome, e.erased, encode(e.digest, 'hex') AS digest, encode(e.hash, 'hex') AS hash,
        t.actor, t.target, t.details::text AS details, t.source, t.request_id
      FROM audit_entry e LEFT JOIN audit_text t ON t.tenant_id = e.tenant_id AND t.seq = e.seq
      WHERE e.tenant_id = $1 ORDER BY e.seq) r
