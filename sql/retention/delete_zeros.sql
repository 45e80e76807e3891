-- Counts that came down to nothing; the caller holds the tenant's folding. In portions: a statement has ten seconds.
WITH t AS (
  DELETE FROM stat_total WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
    SELECT ctid FROM stat_total WHERE tenant_id = $1 AND (alerts, filtered, forwarded, decisions) = (0, 0, 0, 0) LIMIT 10000)))
DELETE FROM stat_count WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
  SELECT ctid FROM stat_count WHERE tenant_id = $1 AND n = 0 LIMIT 20000))
