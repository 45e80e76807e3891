-- Lists by two conditions that are frequent alone read an index and the few rows that meet both, not the rows of one: where it
-- lies is in the index on the agent, both are in that on the scenario. After the time, so that each alone is in order as before.
--
-- A partition at a time, the current one last, so that pushes wait for one week's rows; then the table's own, which takes over
-- what is there. The older ones go in a migration of their own: what takes a stronger lock later could wait for ever.
DO $$
DECLARE
  part regclass;
BEGIN
  FOR part IN SELECT relid::regclass FROM pg_partition_tree('alert') WHERE isleaf ORDER BY (relid::regclass)::text = 'alert_old' DESC, (relid::regclass)::text LOOP
    EXECUTE format('CREATE INDEX ON %s (tenant_id, agent, received_at, geo_country_code)', part);
    EXECUTE format('CREATE INDEX ON %s (tenant_id, scenario, received_at, geo_country_code, agent)', part);
  END LOOP;
END $$;
CREATE INDEX alert_by_agent_place    ON alert (tenant_id, agent, received_at, geo_country_code);
CREATE INDEX alert_by_scenario_place ON alert (tenant_id, scenario, received_at, geo_country_code, agent);
