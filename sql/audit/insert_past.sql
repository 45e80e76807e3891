-- An entry that another chain had; without words ($11 is null) where they were taken out there.
WITH head AS (
  UPDATE audit_head SET seq = $2, hash = $10 WHERE tenant_id = $1),
entry AS (
  INSERT INTO audit_entry (tenant_id, seq, at, actor_kind, action, outcome, erased, digest, prev, hash)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))
INSERT INTO audit_text (tenant_id, seq, actor, target, details, source, request_id)
SELECT $1, $2, $11, $12, $13::text::json, $14, $15 WHERE $11::text IS NOT NULL
