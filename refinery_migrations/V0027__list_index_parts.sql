-- The partitions' part of V0026, in the order in which a push comes to them: the oldest first, the current week almost last, so
-- that new signals wait for one week's rows. One that was made since V0026 has them already.
DO $$
DECLARE
  part    regclass;
  parent  regclass;
  columns text;
  name    text;
BEGIN
  FOR part IN SELECT relid::regclass FROM pg_partition_tree('alert') WHERE isleaf
              ORDER BY (relid::regclass)::text = 'alert_old' DESC, (relid::regclass)::text LOOP
    FOR parent, columns IN VALUES
      ('alert_by_agent_place'::regclass,    'tenant_id, agent, received_at, geo_country_code'),
      ('alert_by_scenario_place'::regclass, 'tenant_id, scenario, received_at, geo_country_code, agent') LOOP
      CONTINUE WHEN EXISTS (
        SELECT FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid WHERE h.inhparent = parent AND i.indrelid = part);
      name := replace(parent::text, 'alert', part::text);
      EXECUTE format('CREATE INDEX %I ON %s (%s)', name, part, columns);
      EXECUTE format('ALTER INDEX %s ATTACH PARTITION %I', parent, name);
    END LOOP;
  END LOOP;
END $$;
