INSERT INTO stat_name (tenant_id, id, name) VALUES (1, 101, 'canary/scenario_a'), (2, 201, 'canary/scenario_b');
INSERT INTO stat_place (tenant_id, span, at, place, scenario, n) VALUES
  (1, 2, '2026-11-16 00:00+00', 138002, 101, 1), (2, 2, '2026-11-16 00:00+00', 138002, 201, 1),
  (1, 2, '2026-11-16 06:00+00', 138002, 101, 0), (2, 2, '2026-11-16 06:00+00', 138002, 201, 0);
