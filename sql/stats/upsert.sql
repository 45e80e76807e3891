-- Folds the oldest $2 changes into the counts. What is deleted is what is counted, so nothing counts twice or not at all,
-- whoever else folds; the rows are written in order, so that two who fold wait for one another.
WITH gone AS (
  DELETE FROM stat_delta WHERE tenant_id = $1
    AND id <= (SELECT max(id) FROM (SELECT id FROM stat_delta WHERE tenant_id = $1 ORDER BY id LIMIT $2) oldest)
  RETURNING at, sign, filtered, forwarded, scenario, country, country_name, cell, decision_scenario, decision_length,
    decision_country, decision_name, used, received, bytes, machine_id),
totals AS (
  INSERT INTO stat_total AS t (tenant_id, at, alerts, filtered, forwarded, decisions)
  SELECT $1, date_bin('15 minutes', at, 'epoch'), sum(sign * cardinality(scenario)), sum(filtered), sum(forwarded),
         sum(sign * cardinality(decision_length))
  FROM gone WHERE cardinality(scenario) > 0 OR cardinality(decision_length) > 0 OR filtered <> 0 OR forwarded <> 0
  GROUP BY 2 ORDER BY 2
  ON CONFLICT (tenant_id, at) DO UPDATE SET alerts = t.alerts + excluded.alerts, filtered = t.filtered + excluded.filtered,
    forwarded = t.forwarded + excluded.forwarded, decisions = t.decisions + excluded.decisions),
monthly AS (
  INSERT INTO stat_usage AS u (tenant_id, month, received, stored, filtered, forwarded, decisions, bytes)
  SELECT $1, date_trunc('month', at AT TIME ZONE 'UTC')::date, sum(greatest(received, cardinality(scenario))), sum(cardinality(scenario)), sum(filtered), sum(forwarded),
         sum(cardinality(decision_length)), sum(bytes)
  FROM gone WHERE used GROUP BY 2 ORDER BY 2
  ON CONFLICT (tenant_id, month) DO UPDATE SET received = u.received + excluded.received, stored = u.stored + excluded.stored,
    filtered = u.filtered + excluded.filtered, forwarded = u.forwarded + excluded.forwarded, decisions = u.decisions + excluded.decisions,
    bytes = u.bytes + excluded.bytes),
machines AS (
  INSERT INTO stat_usage_machine (tenant_id, month, machine_id)
  SELECT DISTINCT $1::int, date_trunc('month', at AT TIME ZONE 'UTC')::date, machine_id FROM gone WHERE used AND machine_id IS NOT NULL
  ORDER BY 2, 3
  ON CONFLICT (tenant_id, month, machine_id) DO NOTHING),
-- Together what is alike, before each is counted in several ways.
alerts AS (
  SELECT date_bin('1 hour', g.at, 'epoch') AS at, a.scenario, a.country, coalesce(a.name, '') AS name, a.cell, sum(g.sign) AS n
  FROM gone g CROSS JOIN LATERAL unnest(g.scenario, g.country, g.country_name, g.cell) AS a(scenario, country, name, cell)
  GROUP BY 1, 2, 3, 4, 5 HAVING sum(g.sign) <> 0),
decisions AS (
  SELECT date_bin('1 hour', g.at, 'epoch') AS at, d.scenario, d.length, d.country, coalesce(d.name, '') AS name, sum(g.sign) AS n
  FROM gone g CROSS JOIN LATERAL unnest(g.decision_scenario, g.decision_length, g.decision_country, g.decision_name)
    AS d(scenario, length, country, name)
  GROUP BY 1, 2, 3, 4, 5 HAVING sum(g.sign) <> 0),
fine AS (
  SELECT a.at, a.n, v.dim, v.key, v.sub
  FROM alerts a CROSS JOIN LATERAL (VALUES (1, a.scenario, ''), (2, a.country, a.name)) AS v(dim, key, sub)
  WHERE v.key IS NOT NULL
  UNION ALL
  SELECT d.at, d.n, v.dim, v.key, v.sub
  FROM decisions d CROSS JOIN LATERAL (VALUES (3, d.scenario, ''), (4, d.country, d.name), (5, d.length::text, '')) AS v(dim, key, sub)
  WHERE v.key IS NOT NULL),
counts AS (
  INSERT INTO stat_count AS c (tenant_id, dim, span, at, key, sub, n)
  SELECT $1, f.dim, s.span, s.at, f.key, f.sub, sum(f.n)
  FROM fine f CROSS JOIN LATERAL (VALUES (0, 'epoch'::timestamptz), (1, date_bin('1 day', f.at, 'epoch')), (2, f.at)) AS s(span, at)
  GROUP BY 2, 3, 4, 5, 6 HAVING sum(f.n) <> 0 ORDER BY 2, 3, 4, 5, 6
  ON CONFLICT (tenant_id, dim, span, at, key, sub) DO UPDATE SET n = c.n + excluded.n),
-- Nobody else adds names: folding is claimed.
named AS (
  INSERT INTO stat_name (tenant_id, id, name)
  SELECT $1, m.most + row_number() OVER (ORDER BY n.name), n.name
  FROM (SELECT scenario AS name FROM alerts UNION SELECT country FROM alerts WHERE country IS NOT NULL) n
  CROSS JOIN (SELECT coalesce(max(id), 0) AS most FROM stat_name WHERE tenant_id = $1) m
  WHERE NOT EXISTS (SELECT FROM stat_name k WHERE k.tenant_id = $1 AND k.name = n.name)
  RETURNING id, name),
called AS MATERIALIZED (
  SELECT id, name FROM stat_name WHERE tenant_id = $1 UNION ALL SELECT id, name FROM named),
placed AS (
  SELECT a.at, a.cell AS place, s.id AS scenario, a.n FROM alerts a JOIN called s ON s.name = a.scenario WHERE a.cell IS NOT NULL
  UNION ALL
  SELECT a.at, -c.id, s.id, a.n FROM alerts a JOIN called s ON s.name = a.scenario JOIN called c ON c.name = a.country),
places AS (
  INSERT INTO stat_place AS c (tenant_id, span, at, place, scenario, n)
  SELECT $1, s.span, s.at, p.place, p.scenario, sum(p.n)
  FROM placed p CROSS JOIN LATERAL (VALUES (0, 'epoch'::timestamptz), (1, date_bin('1 day', p.at, 'epoch')),
    (2, date_bin('6 hours', p.at, 'epoch'))) AS s(span, at)
  GROUP BY 2, 3, 4, 5 HAVING sum(p.n) <> 0 ORDER BY 2, 3, 4, 5
  ON CONFLICT (tenant_id, span, at, place, scenario) DO UPDATE SET n = c.n + excluded.n)
SELECT count(*) AS folded FROM gone
