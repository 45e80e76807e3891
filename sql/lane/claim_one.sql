-- One lane, for a request that acts on its target itself. A pause after failures does not keep a person from trying.
UPDATE lane l SET lease_owner = $5, lease_until = now() + make_interval(secs => $4), fence = l.fence + 1, claimed_at = now()
FROM (SELECT tenant_id, topic, subject_id FROM lane
      WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3 AND lease_until <= now() FOR UPDATE SKIP LOCKED) f
WHERE l.tenant_id = $1 AND l.tenant_id = f.tenant_id AND l.topic = f.topic AND l.subject_id = f.subject_id
RETURNING l.topic, l.subject_id, l.fence, l.failures, l.cursor_xid::text AS cursor_xid, l.cursor_seq,
          pg_snapshot_xmin(pg_current_snapshot())::text AS horizon
