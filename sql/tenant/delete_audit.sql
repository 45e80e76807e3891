-- A part of the trail of a tenant that was removed, and its head once nothing else is left. Words go with their entries.
WITH gone AS (
  DELETE FROM audit_entry WHERE tenant_id = $1
    AND seq < (SELECT min(seq) + 20000 FROM audit_entry WHERE tenant_id = $1)
    AND EXISTS (SELECT FROM tenant WHERE id = $1 AND removed_at IS NOT NULL) RETURNING 1),
head AS (
  DELETE FROM audit_head WHERE tenant_id = $1 AND NOT EXISTS (SELECT FROM audit_entry WHERE tenant_id = $1)
    AND EXISTS (SELECT FROM tenant WHERE id = $1 AND removed_at IS NOT NULL) RETURNING 1)
SELECT (SELECT count(*) FROM gone) AS entries, (SELECT count(*) FROM head) AS heads
