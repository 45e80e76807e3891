-- Lists by two conditions that are frequent alone read an index and the few rows that meet both, not the rows of one: where it
-- lies is in the index on the agent, both are in that on the scenario. After the time, so that each alone is in order as before.
--
-- The tables' own first, of no partition, which takes a moment: who changes alerts holds the table before a partition, so what
-- builds a partition's must not want the table any more.
CREATE INDEX alert_by_agent_place    ON ONLY alert (tenant_id, agent, received_at, geo_country_code);
CREATE INDEX alert_by_scenario_place ON ONLY alert (tenant_id, scenario, received_at, geo_country_code, agent);
