-- What a tenant used, by month, and how far the erasure of one is that was deleted.

-- Writers wait until this is committed, and nothing is counted twice or not at all.
LOCK TABLE alert, alert_decision, signal_batch, stat_delta IN SHARE ROW EXCLUSIVE MODE;

-- How far it is. `owner` erases until the lease ends; what a killed process left is taken up by another.
CREATE TABLE tenant_erasure (
  tenant_id   int PRIMARY KEY REFERENCES tenant (id),
  asked_at    timestamptz NOT NULL DEFAULT now(),
  actor       text NOT NULL CHECK (length(actor) <= 256),
  owner       uuid,
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  gone        bigint NOT NULL DEFAULT 0,                      -- rows that went so far
  done_at     timestamptz
);

-- A month of UTC. Unlike the counts of charts it does not follow what is deleted: rows that age stay used.
CREATE TABLE stat_usage (
  tenant_id int NOT NULL,
  month     date NOT NULL CHECK (extract(day FROM month) = 1),
  received  bigint NOT NULL,                                  -- items of pushes
  stored    bigint NOT NULL,                                  -- of these new alerts
  filtered  bigint NOT NULL,                                  -- of these kept from CAPI by the rules, when they came
  forwarded bigint NOT NULL,                                  -- of these taken by CAPI since
  decisions bigint NOT NULL,                                  -- that new alerts carried
  bytes     bigint NOT NULL,                                  -- of pushes, unpacked
  PRIMARY KEY (tenant_id, month)
) WITH (fillfactor = 80);

-- Machines that pushed in a month.
CREATE TABLE stat_usage_machine (
  tenant_id  int NOT NULL,
  month      date NOT NULL,
  machine_id bigint NOT NULL,
  PRIMARY KEY (tenant_id, month, machine_id)
);

SELECT wall_off('tenant_erasure'), wall_off('stat_usage'), wall_off('stat_usage_machine');
GRANT SELECT, INSERT, UPDATE (owner, lease_until, gone, done_at) ON tenant_erasure TO garrison_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON stat_usage TO garrison_service;
GRANT SELECT, INSERT, DELETE ON stat_usage_machine TO garrison_service;

-- Usage is counted from the same changes as charts, so that a push writes nothing twice. `used`: a push, or that CAPI took
-- alerts. Erasures, ageing and new places of addresses change charts and are no use. A push of the release before, which does
-- not know of it, counts by its alerts.
ALTER TABLE stat_delta
  ADD COLUMN IF NOT EXISTS used       boolean NOT NULL DEFAULT false,
  ADD COLUMN IF NOT EXISTS received   int NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS bytes      bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS machine_id bigint;
ALTER TABLE stat_delta ALTER COLUMN used SET DEFAULT true;

CREATE OR REPLACE FUNCTION alert_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO stat_delta (tenant_id, at, sign, filtered, forwarded, scenario, country, country_name, cell, used)
  SELECT tenant_id, received_at, -1, -count(*) FILTER (WHERE filtered), -count(forwarded_at), array_agg(scenario),
         array_agg(geo_country_code), array_agg(geo_country_name), array_agg(stat_cell(geo_latitude, geo_longitude)), false
  FROM old_rows WHERE NOT local_audit GROUP BY tenant_id, received_at;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION alert_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM new_rows n JOIN old_rows o USING (tenant_id, key)
             WHERE (n.received_at, n.local_audit, n.filtered, n.scenario, n.geo_country_code, n.geo_country_name, n.geo_latitude, n.geo_longitude)
               IS DISTINCT FROM
               (o.received_at, o.local_audit, o.filtered, o.scenario, o.geo_country_code, o.geo_country_name, o.geo_latitude, o.geo_longitude)) THEN
    INSERT INTO stat_delta (tenant_id, at, sign, filtered, forwarded, scenario, country, country_name, cell, used)
    SELECT a.tenant_id, a.received_at, a.sign, a.sign * count(*) FILTER (WHERE a.filtered), a.sign * count(a.forwarded_at), array_agg(a.scenario),
           array_agg(a.geo_country_code), array_agg(a.geo_country_name), array_agg(stat_cell(a.geo_latitude, a.geo_longitude)), false
    FROM (SELECT -1 AS sign, * FROM old_rows UNION ALL SELECT 1, * FROM new_rows) a
    WHERE NOT a.local_audit GROUP BY a.tenant_id, a.received_at, a.sign;
    -- Planned anew each time: a plan made while the table was empty would read all of it for ever.
    EXECUTE 'INSERT INTO stat_delta (tenant_id, at, sign, decision_scenario, decision_length, decision_country, decision_name, used)
    SELECT a.tenant_id, a.received_at, a.sign, array_agg(d.scenario), array_agg(stat_length(d.duration_ms)),
           array_agg(a.geo_country_code), array_agg(a.geo_country_name), false
    FROM (SELECT -1 AS sign, * FROM old_rows UNION ALL SELECT 1, * FROM new_rows) a
    JOIN alert_decision d ON d.tenant_id = a.tenant_id AND d.alert_key = a.key
    WHERE NOT a.local_audit GROUP BY a.tenant_id, a.received_at, a.sign';
  ELSE
    INSERT INTO stat_delta (tenant_id, at, sign, forwarded, used)
    SELECT n.tenant_id, n.received_at, 1, count(n.forwarded_at) - count(o.forwarded_at), true
    FROM new_rows n JOIN old_rows o USING (tenant_id, key)
    WHERE NOT n.local_audit AND (n.forwarded_at IS NULL) <> (o.forwarded_at IS NULL)
    GROUP BY n.tenant_id, n.received_at;
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION alert_decision_deleted() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  IF EXISTS (SELECT FROM old_rows d WHERE NOT EXISTS
             (SELECT FROM alert a WHERE a.tenant_id = d.tenant_id AND a.key = d.alert_key)) THEN
    RAISE EXCEPTION 'decisions are deleted before their alerts';
  END IF;
  INSERT INTO stat_delta (tenant_id, at, sign, decision_scenario, decision_length, decision_country, decision_name, used)
  SELECT a.tenant_id, a.received_at, -1, array_agg(d.scenario), array_agg(stat_length(d.duration_ms)),
         array_agg(a.geo_country_code), array_agg(a.geo_country_name), false
  FROM old_rows d JOIN alert a ON a.tenant_id = d.tenant_id AND a.key = d.alert_key
  WHERE NOT a.local_audit GROUP BY a.tenant_id, a.received_at;
  RETURN NULL;
END $$;

-- What is still there of the time before. Bytes were not counted.
ALTER TABLE alert NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_decision NO FORCE ROW LEVEL SECURITY;
ALTER TABLE signal_batch NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_usage NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_usage_machine NO FORCE ROW LEVEL SECURITY;
INSERT INTO stat_usage (tenant_id, month, received, stored, filtered, forwarded, decisions, bytes)
SELECT tenant_id, month, sum(received), sum(stored), sum(filtered), sum(forwarded), sum(decisions), 0
FROM (
  SELECT tenant_id, date_trunc('month', received_at AT TIME ZONE 'UTC')::date AS month, received, stored, filtered, 0 AS forwarded, 0 AS decisions
  FROM signal_batch
  UNION ALL
  SELECT tenant_id, date_trunc('month', received_at AT TIME ZONE 'UTC')::date, 0, 0, 0, 1, 0 FROM alert
  WHERE NOT local_audit AND forwarded_at IS NOT NULL
  UNION ALL
  SELECT a.tenant_id, date_trunc('month', a.received_at AT TIME ZONE 'UTC')::date, 0, 0, 0, 0, 1
  FROM alert a JOIN alert_decision d ON d.tenant_id = a.tenant_id AND d.alert_key = a.key WHERE NOT a.local_audit) u
GROUP BY 1, 2;
INSERT INTO stat_usage_machine (tenant_id, month, machine_id)
SELECT DISTINCT tenant_id, date_trunc('month', received_at AT TIME ZONE 'UTC')::date, machine_id FROM signal_batch;
ALTER TABLE alert FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_decision FORCE ROW LEVEL SECURITY;
ALTER TABLE signal_batch FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_usage FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_usage_machine FORCE ROW LEVEL SECURITY;
