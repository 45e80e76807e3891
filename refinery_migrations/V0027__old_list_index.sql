-- What V0026 made better.
DROP INDEX alert_by_agent;
DROP INDEX alert_by_scenario;
