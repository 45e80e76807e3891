-- An entry, its words, and the head of the chain, together.
WITH head AS (
  UPDATE audit_head SET seq = $2, hash = $11 WHERE tenant_id = $1),
entry AS (
  INSERT INTO audit_entry (tenant_id, seq, at, actor_kind, actor_id, action, outcome, erased, digest, prev, hash)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11))
INSERT INTO audit_text (tenant_id, seq, actor, target, details, source, request_id)
VALUES ($1, $2, $12, $13, $14::text::json, $15, $16)
