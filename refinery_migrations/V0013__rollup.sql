-- Counts of alerts and of the decisions they carried, so that charts need not read the rows.
--
-- Whatever changes `alert` or `alert_decision` leaves rows in `stat_delta` in its own transaction: a push by its own
-- statement (signal/insert.sql), which has everything at hand, all else by the triggers below. So a chart that reads the
-- folded counts and the rows not yet folded is exact. Partitions that are dropped fire no trigger: they must be empty.

-- Changes not folded yet. One row an instant of receipt: a batch has one.
CREATE TABLE stat_delta (
  tenant_id           int NOT NULL,
  id                  bigint GENERATED ALWAYS AS IDENTITY,
  at                  timestamptz NOT NULL,                -- when all of these were received
  sign                smallint NOT NULL CHECK (sign IN (-1, 1)),
  filtered            int NOT NULL DEFAULT 0,              -- how many more (fewer: negative) are filtered, and delivered
  forwarded           int NOT NULL DEFAULT 0,
  -- One entry an alert.
  scenario            text[] COLLATE "C" NOT NULL DEFAULT '{}',
  country             text[] COLLATE "C" NOT NULL DEFAULT '{}',
  country_name        text[] COLLATE "C" NOT NULL DEFAULT '{}',
  cell                int[] NOT NULL DEFAULT '{}',
  -- One entry a decision, with its alert's country.
  decision_scenario   text[] COLLATE "C" NOT NULL DEFAULT '{}',
  decision_length     smallint[] NOT NULL DEFAULT '{}',
  decision_country    text[] COLLATE "C" NOT NULL DEFAULT '{}',
  decision_name       text[] COLLATE "C" NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- A quarter of an hour, because the clocks of some zones differ by one.
CREATE TABLE stat_total (
  tenant_id int NOT NULL,
  at        timestamptz NOT NULL,
  alerts    bigint NOT NULL,
  filtered  bigint NOT NULL,
  forwarded bigint NOT NULL,
  decisions bigint NOT NULL,
  PRIMARY KEY (tenant_id, at)
) WITH (fillfactor = 80);

-- One narrow dimension each, never a cube. dim: 1 scenario, 2 country (sub: its name), 3 decision's scenario, 4 country of
-- a decision's alert (sub: its name), 5 length of a decision, 6 country and scenario, 7 cell of one degree and scenario.
-- span: 0 of all time, 1 a day of UTC, 2 an hour (6 and 7: six hours).
CREATE TABLE stat_count (
  tenant_id int NOT NULL,
  dim       smallint NOT NULL CHECK (dim BETWEEN 1 AND 7),
  span      smallint NOT NULL CHECK (span BETWEEN 0 AND 2),
  at        timestamptz NOT NULL,
  key       text COLLATE "C" NOT NULL,
  sub       text COLLATE "C" NOT NULL,
  n         bigint NOT NULL,
  PRIMARY KEY (tenant_id, dim, span, at, key, sub)
) WITH (fillfactor = 80);

SELECT wall_off('stat_delta'), wall_off('stat_total'), wall_off('stat_count');
GRANT SELECT, INSERT, DELETE ON stat_delta TO garrison_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON stat_total, stat_count TO garrison_service;
GRANT SELECT (tenant_id) ON stat_delta TO garrison_platform;

-- The cell of one degree, by its corner in the south-west: (latitude + 90) * 1000 + longitude + 180.
CREATE FUNCTION stat_cell(latitude double precision, longitude double precision) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180
              THEN (floor(latitude)::int + 90) * 1000 + floor(longitude)::int + 180 END
$$;

-- How long a decision holds: 0 under an hour, 1 under a day, 2 under a week, 3 longer.
CREATE FUNCTION stat_length(duration_ms bigint) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN duration_ms < 3600000 THEN 0 WHEN duration_ms < 86400000 THEN 1 WHEN duration_ms < 604800000 THEN 2
              WHEN duration_ms IS NOT NULL THEN 3 END::smallint
$$;

CREATE FUNCTION alert_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO stat_delta (tenant_id, at, sign, filtered, forwarded, scenario, country, country_name, cell)
  SELECT tenant_id, received_at, -1, -count(*) FILTER (WHERE filtered), -count(forwarded_at), array_agg(scenario),
         array_agg(geo_country_code), array_agg(geo_country_name), array_agg(stat_cell(geo_latitude, geo_longitude))
  FROM old_rows WHERE NOT local_audit GROUP BY tenant_id, received_at;
  RETURN NULL;
END $$;
CREATE TRIGGER counted_delete AFTER DELETE ON alert REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION alert_deleted();

-- What changes is that CAPI took an alert, and seldom where its address lies. Anything else a chart counts by is minded, too.
CREATE FUNCTION alert_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM new_rows n JOIN old_rows o USING (tenant_id, key)
             WHERE (n.received_at, n.local_audit, n.filtered, n.scenario, n.geo_country_code, n.geo_country_name, n.geo_latitude, n.geo_longitude)
               IS DISTINCT FROM
               (o.received_at, o.local_audit, o.filtered, o.scenario, o.geo_country_code, o.geo_country_name, o.geo_latitude, o.geo_longitude)) THEN
    INSERT INTO stat_delta (tenant_id, at, sign, filtered, forwarded, scenario, country, country_name, cell)
    SELECT a.tenant_id, a.received_at, a.sign, a.sign * count(*) FILTER (WHERE a.filtered), a.sign * count(a.forwarded_at), array_agg(a.scenario),
           array_agg(a.geo_country_code), array_agg(a.geo_country_name), array_agg(stat_cell(a.geo_latitude, a.geo_longitude))
    FROM (SELECT -1 AS sign, * FROM old_rows UNION ALL SELECT 1, * FROM new_rows) a
    WHERE NOT a.local_audit GROUP BY a.tenant_id, a.received_at, a.sign;
    -- Planned anew each time: a plan made while the table was empty would read all of it for ever.
    EXECUTE 'INSERT INTO stat_delta (tenant_id, at, sign, decision_scenario, decision_length, decision_country, decision_name)
    SELECT a.tenant_id, a.received_at, a.sign, array_agg(d.scenario), array_agg(stat_length(d.duration_ms)),
           array_agg(a.geo_country_code), array_agg(a.geo_country_name)
    FROM (SELECT -1 AS sign, * FROM old_rows UNION ALL SELECT 1, * FROM new_rows) a
    JOIN alert_decision d ON d.tenant_id = a.tenant_id AND d.alert_key = a.key
    WHERE NOT a.local_audit GROUP BY a.tenant_id, a.received_at, a.sign';
  ELSE
    INSERT INTO stat_delta (tenant_id, at, sign, forwarded)
    SELECT n.tenant_id, n.received_at, 1, count(n.forwarded_at) - count(o.forwarded_at)
    FROM new_rows n JOIN old_rows o USING (tenant_id, key)
    WHERE NOT n.local_audit AND (n.forwarded_at IS NULL) <> (o.forwarded_at IS NULL)
    GROUP BY n.tenant_id, n.received_at;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER counted_update AFTER UPDATE ON alert REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION alert_updated();

-- A decision goes before its alert, or it cannot be told where it was counted.
CREATE FUNCTION alert_decision_deleted() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  IF EXISTS (SELECT FROM old_rows d WHERE NOT EXISTS
             (SELECT FROM alert a WHERE a.tenant_id = d.tenant_id AND a.key = d.alert_key)) THEN
    RAISE EXCEPTION 'decisions are deleted before their alerts';
  END IF;
  INSERT INTO stat_delta (tenant_id, at, sign, decision_scenario, decision_length, decision_country, decision_name)
  SELECT a.tenant_id, a.received_at, -1, array_agg(d.scenario), array_agg(stat_length(d.duration_ms)),
         array_agg(a.geo_country_code), array_agg(a.geo_country_name)
  FROM old_rows d JOIN alert a ON a.tenant_id = d.tenant_id AND a.key = d.alert_key
  WHERE NOT a.local_audit GROUP BY a.tenant_id, a.received_at;
  RETURN NULL;
END $$;
CREATE TRIGGER counted_delete AFTER DELETE ON alert_decision REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION alert_decision_deleted();

REVOKE EXECUTE ON FUNCTION alert_deleted(), alert_updated(), alert_decision_deleted() FROM PUBLIC;

-- What was stored before. The triggers' locks keep writers out until this is committed; the owner sees all rows meanwhile.
ALTER TABLE alert NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_decision NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_delta NO FORCE ROW LEVEL SECURITY;
INSERT INTO stat_delta (tenant_id, at, sign, filtered, forwarded, scenario, country, country_name, cell)
SELECT tenant_id, received_at, 1, count(*) FILTER (WHERE filtered), count(forwarded_at), array_agg(scenario),
       array_agg(geo_country_code), array_agg(geo_country_name), array_agg(stat_cell(geo_latitude, geo_longitude))
FROM alert WHERE NOT local_audit GROUP BY tenant_id, received_at;
INSERT INTO stat_delta (tenant_id, at, sign, decision_scenario, decision_length, decision_country, decision_name)
SELECT a.tenant_id, a.received_at, 1, array_agg(d.scenario), array_agg(stat_length(d.duration_ms)),
       array_agg(a.geo_country_code), array_agg(a.geo_country_name)
FROM alert a JOIN alert_decision d ON d.tenant_id = a.tenant_id AND d.alert_key = a.key
WHERE NOT a.local_audit GROUP BY a.tenant_id, a.received_at;
ALTER TABLE alert FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_decision FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_delta FORCE ROW LEVEL SECURITY;

-- Rows of our own, which are in lists and not in charts.
CREATE INDEX alert_own ON alert (tenant_id, received_at) WHERE local_audit;
