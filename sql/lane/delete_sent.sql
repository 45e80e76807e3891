DELETE FROM outbox WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3
  AND (xid, seq) > ($4::text::xid8, $5) AND (xid, seq) <= ($6::text::xid8, $7)
