-- What machines pushed. Partitioned by the time that leads every key, a week a partition.

CREATE SEQUENCE alert_id AS bigint;

-- One row an ingest transaction, the duplicate ones too: its receipt, and the body as received (zstd), into which
-- the alerts point. Kept a batch because signals of one batch compress about 7 : 1.
CREATE TABLE signal_batch (
  tenant_id   int NOT NULL,
  id          uuid NOT NULL,             -- version 7: the time of receipt leads
  machine_id  bigint NOT NULL,
  api_version smallint NOT NULL,         -- 2 or 3: the path it came by, and leaves by
  received_at timestamptz NOT NULL DEFAULT now(),
  received    int NOT NULL,
  stored      int NOT NULL,
  duplicate   int NOT NULL,
  rejected    int NOT NULL,
  filtered    int NOT NULL,
  body        bytea,                     -- null when nothing points into it
  PRIMARY KEY (tenant_id, id)
) PARTITION BY RANGE (id);
ALTER TABLE signal_batch ALTER COLUMN body SET STORAGE EXTERNAL;  -- compressed already
CREATE INDEX signal_batch_machine ON signal_batch (tenant_id, machine_id, received_at);

-- Items of a batch that could not be an alert, with the reason. They stay readable through the batch's body.
CREATE TABLE rejected_signal (
  tenant_id  int NOT NULL,
  batch_id   uuid NOT NULL,
  item       int NOT NULL,
  field      text NOT NULL,
  reason     text NOT NULL,
  raw_offset int NOT NULL,
  raw_length int NOT NULL,
  PRIMARY KEY (tenant_id, batch_id, item)
) PARTITION BY RANGE (batch_id);

CREATE TABLE alert (
  tenant_id         int NOT NULL,
  key               uuid NOT NULL,       -- 48 bits of start time in ms, then a keyed hash of uuid or content: the dedupe
  id                bigint NOT NULL DEFAULT nextval('alert_id'),
  machine_id        bigint,              -- the engine that sent it; null for rows of our own
  received_at       timestamptz NOT NULL DEFAULT now(),
  start_at          timestamptz,
  stop_at           timestamptz,
  forwarded_at      timestamptz,         -- set by a 2xx of CAPI and by nothing else
  batch_id          uuid,
  raw_offset        int,
  raw_length        int,
  events_count      int,
  capacity          int,
  forward_state     smallint NOT NULL,   -- 0 not to leave, 1 waiting, 2 delivered, 3 refused by CAPI for good
  filtered          boolean NOT NULL,
  simulated         boolean,
  remediation       boolean,
  has_decisions     boolean NOT NULL,
  replicated        boolean NOT NULL DEFAULT false,
  local_audit       boolean NOT NULL DEFAULT false,
  geo_latitude      double precision,
  geo_longitude     double precision,
  source_lo         inet,                -- first and last address of the source, equal for a single one
  source_hi         inet,
  uuid              text COLLATE "C",
  agent             text COLLATE "C",    -- machine_id inside the signal: the agent's name within that engine
  scenario          text COLLATE "C" NOT NULL,
  scenario_hash     text COLLATE "C",
  scenario_version  text COLLATE "C",
  message           text,
  leakspeed         text,
  start_text        text COLLATE "C",    -- times as the engine wrote them; the columns above hold what they mean
  stop_text         text COLLATE "C",
  created_text      text COLLATE "C",
  source_scope      text COLLATE "C",
  source_value      text COLLATE "C",
  source_ip         text COLLATE "C",
  source_range      text COLLATE "C",
  source_as_number  text COLLATE "C",
  source_as_name    text,
  source_cn         text COLLATE "C",
  geo_country_code  text COLLATE "C",
  geo_country_name  text,
  geo_city          text,
  geo_region        text,
  geo_timezone      text,
  geo_isp           text,
  geo_org           text,
  filter_rules      bigint[],
  filter_reasons    text,                -- JSON array of the matching rules' sentences
  forward_error     text,
  actor             text,
  PRIMARY KEY (tenant_id, key)
) PARTITION BY RANGE (key);
ALTER SEQUENCE alert_id OWNED BY alert.id;
CREATE INDEX alert_by_id       ON alert (tenant_id, id);
CREATE INDEX alert_by_received ON alert (tenant_id, received_at, id);
CREATE INDEX alert_by_source   ON alert (tenant_id, source_lo, received_at);
CREATE INDEX alert_by_scenario ON alert (tenant_id, scenario, received_at);
CREATE INDEX alert_by_country  ON alert (tenant_id, geo_country_code, received_at);
CREATE INDEX alert_by_agent    ON alert (tenant_id, agent, received_at);

-- The remediations that an alert carried, as reported: a history, not what is in force.
CREATE TABLE alert_decision (
  tenant_id   int NOT NULL,
  alert_key   uuid NOT NULL,
  item        int NOT NULL,
  simulated   boolean,
  duration_ms bigint,                    -- null when the text is no Go duration
  until       timestamptz,               -- stop_at + duration, as a LAPI computes it
  uuid        text COLLATE "C",
  origin      text COLLATE "C",
  type        text COLLATE "C" NOT NULL,
  scope       text COLLATE "C" NOT NULL,
  value       text COLLATE "C" NOT NULL,
  duration    text COLLATE "C",
  scenario    text COLLATE "C",
  PRIMARY KEY (tenant_id, alert_key, item)
) PARTITION BY RANGE (alert_key);

-- The first key of an instant: its milliseconds in 48 bits, then zeros.
CREATE FUNCTION time_key(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT rpad(lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- Makes the weekly partitions from this week to `ahead` from now, and the one below them all, which takes whatever
-- is dated earlier. Called by whoever owns the tables; more than once does nothing.
CREATE FUNCTION make_partitions(ahead interval) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  week   timestamptz;
  made   int := 0;
  part   text;
  first  timestamptz := '2026-01-05 00:00:00+00';  -- a Monday; earlier times share one partition
BEGIN
  PERFORM pg_advisory_xact_lock(7463216);
  FOREACH parent IN ARRAY ARRAY['alert', 'alert_decision', 'signal_batch', 'rejected_signal'] LOOP
    IF to_regclass(parent || '_old') IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (MINVALUE) TO (%L)',
        parent || '_old', parent, time_key(greatest(first, date_trunc('week', now(), 'UTC') - interval '1 week')));
    END IF;
    -- Start where the last partition ends, so that there never is a gap.
    SELECT max((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([0-9a-f-]+)''\)'))[1]) INTO part
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = parent::regclass;
    week := to_timestamp(('x' || lpad(substr(replace(part, '-', ''), 1, 12), 16, '0'))::bit(64)::bigint / 1000.0);
    WHILE week < now() + ahead LOOP
      -- Made beside and then attached: CREATE … PARTITION OF would wait for every reader and stop every writer.
      part := parent || '_' || to_char(week AT TIME ZONE 'UTC', 'IYYY"w"IW');
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', part, parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        parent, part, time_key(week), time_key(week + interval '7 days'));
      made := made + 1;
      week := week + interval '7 days';
    END LOOP;
  END LOOP;
  RETURN made;
END $$;
REVOKE EXECUTE ON FUNCTION make_partitions(interval) FROM PUBLIC;
SELECT make_partitions(interval '28 days');

SELECT wall_off('signal_batch'), wall_off('rejected_signal'), wall_off('alert'), wall_off('alert_decision');
GRANT SELECT, INSERT ON signal_batch, rejected_signal, alert, alert_decision TO garrison_service;
GRANT UPDATE (forwarded_at, forward_state, forward_error) ON alert TO garrison_service;
GRANT USAGE ON SEQUENCE alert_id TO garrison_service;

-- A range that names one address of it is found by that address, too. Ranges are few.
CREATE INDEX alert_by_range_ip ON alert (tenant_id, source_ip) WHERE source_lo <> source_hi;
