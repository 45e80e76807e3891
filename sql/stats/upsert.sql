-- Folds the oldest $2 changes into the counts. What is deleted is what is counted, so nothing counts twice or not at all,
-- whoever else folds; the rows are written in order, so that two who fold wait for one another.
WITH gone AS (
  DELETE FROM stat_delta WHERE tenant_id = $1
    AND id <= (SELECT max(id) FROM (SELECT id FROM stat_delta WHERE tenant_id = $1 ORDER BY id LIMIT $2) oldest)
  RETURNING at, sign, filtered, forwarded, scenario, country, country_name, cell, decision_scenario, decision_length,
    decision_country, decision_name),
totals AS (
  INSERT INTO stat_total AS t (tenant_id, at, alerts, filtered, forwarded, decisions)
  SELECT $1, date_bin('15 minutes', at, 'epoch'), sum(sign * cardinality(scenario)), sum(filtered), sum(forwarded),
         sum(sign * cardinality(decision_length))
  FROM gone GROUP BY 2 ORDER BY 2
  ON CONFLICT (tenant_id, at) DO UPDATE SET alerts = t.alerts + excluded.alerts, filtered = t.filtered + excluded.filtered,
    forwarded = t.forwarded + excluded.forwarded, decisions = t.decisions + excluded.decisions),
one AS (
  SELECT g.at, g.sign, v.dim, v.key, v.sub
  FROM gone g CROSS JOIN LATERAL unnest(g.scenario, g.country, g.country_name, g.cell) AS a(scenario, country, name, cell)
  CROSS JOIN LATERAL (VALUES (1, a.scenario, ''), (2, a.country, coalesce(a.name, '')), (6, a.country, a.scenario),
    (7, a.cell::text, a.scenario)) AS v(dim, key, sub)
  WHERE v.key IS NOT NULL
  UNION ALL
  SELECT g.at, g.sign, v.dim, v.key, v.sub
  FROM gone g CROSS JOIN LATERAL unnest(g.decision_scenario, g.decision_length, g.decision_country, g.decision_name)
    AS d(scenario, length, country, name)
  CROSS JOIN LATERAL (VALUES (3, d.scenario, ''), (4, d.country, coalesce(d.name, '')), (5, d.length::text, '')) AS v(dim, key, sub)
  WHERE v.key IS NOT NULL),
fine AS (
  SELECT dim, date_bin(CASE WHEN dim < 6 THEN interval '1 hour' ELSE interval '6 hours' END, at, 'epoch') AS at, key, sub, sum(sign) AS n
  FROM one GROUP BY 1, 2, 3, 4),
counts AS (
  INSERT INTO stat_count AS c (tenant_id, dim, span, at, key, sub, n)
  SELECT $1, f.dim, s.span, s.at, f.key, f.sub, sum(f.n)
  FROM fine f CROSS JOIN LATERAL (VALUES (0, 'epoch'::timestamptz), (1, date_bin('1 day', f.at, 'epoch')), (2, f.at)) AS s(span, at)
  GROUP BY 2, 3, 4, 5, 6 HAVING sum(f.n) <> 0 ORDER BY 2, 3, 4, 5, 6
  ON CONFLICT (tenant_id, dim, span, at, key, sub) DO UPDATE SET n = c.n + excluded.n)
SELECT count(*) AS folded FROM gone
