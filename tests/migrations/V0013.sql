INSERT INTO stat_delta (tenant_id, id, at, sign, scenario, country, country_name, cell) OVERRIDING SYSTEM VALUE VALUES
  (1, 101, '2026-11-16 01:00+00', 1, '{canary/scenario_a}', '{AA}', '{canary_a}', '{138002}'),
  (2, 201, '2026-11-16 01:00+00', 1, '{canary/scenario_b}', '{BB}', '{canary_b}', '{138002}');
INSERT INTO stat_total (tenant_id, at, alerts, filtered, forwarded, decisions) VALUES
  (1, '2026-11-16 01:00+00', 1, 0, 0, 0), (2, '2026-11-16 01:00+00', 1, 0, 0, 0);
INSERT INTO stat_count (tenant_id, dim, span, at, key, sub, n) VALUES
  (1, 1, 2, '2026-11-16 01:00+00', 'canary/scenario_a', '', 1), (2, 1, 2, '2026-11-16 01:00+00', 'canary/scenario_b', '', 1);
