-- Counts that came down to nothing, and names that no count mentions; the caller holds the tenant's folding. In portions: a
-- statement has ten seconds.
WITH total AS (
  DELETE FROM stat_total WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
    SELECT ctid FROM stat_total WHERE tenant_id = $1 AND (alerts, filtered, forwarded, decisions) = (0, 0, 0, 0) LIMIT 10000))
  RETURNING 1),
counted AS (
  DELETE FROM stat_count WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
    SELECT ctid FROM stat_count WHERE tenant_id = $1 AND n = 0 LIMIT 10000)) RETURNING 1),
placed AS (
  DELETE FROM stat_place WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
    SELECT ctid FROM stat_place WHERE tenant_id = $1 AND n = 0 LIMIT 10000)) RETURNING 1),
-- What is counted at all is counted of all time.
mentioned AS (
  SELECT v.id FROM stat_place p CROSS JOIN LATERAL (VALUES (p.scenario), (-p.place)) AS v(id)
  WHERE p.tenant_id = $1 AND p.span = 0 AND p.n <> 0),
named AS (
  DELETE FROM stat_name WHERE tenant_id = $1 AND id NOT IN (SELECT id FROM mentioned) RETURNING 1)
SELECT (SELECT count(*) FROM total) + (SELECT count(*) FROM counted) + (SELECT count(*) FROM placed) + (SELECT count(*) FROM named) AS gone
