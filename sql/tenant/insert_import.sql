-- Out of service until all of it is in, and under a lease: what a broken import left goes as what was deleted does.
WITH new AS (
  INSERT INTO tenant (name, dedupe_key, forward_enabled, keeps_decisions, decisions_complete, removed_at)
  VALUES ($1, $2, $3, $4, $5, now()) RETURNING id),
held AS (
  INSERT INTO tenant_erasure (tenant_id, actor, owner, lease_until, importing)
  SELECT id, left($6, 255), $7, now() + interval '2 minutes', true FROM new)
SELECT id FROM new
