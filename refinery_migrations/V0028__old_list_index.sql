-- What V0027 made better.
DROP INDEX alert_by_agent;
DROP INDEX alert_by_scenario;
