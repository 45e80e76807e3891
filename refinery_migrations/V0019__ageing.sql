-- How rows come to an end: partitions that are made, mended and dropped; how long each class of a tenant's rows is kept;
-- what was erased, and when.

-- Where a tenant wishes another length than the installation's. The classes stand in src/manage/retention/model.rs.
CREATE TABLE retention (
  tenant_id int NOT NULL REFERENCES tenant (id),
  class     smallint NOT NULL CHECK (class > 0),
  days      int NOT NULL CHECK (days BETWEEN 1 AND 36500),
  PRIMARY KEY (tenant_id, class)
);

-- Who sweeps a tenant's rows, and when that was last done to the end.
CREATE TABLE sweep (
  tenant_id   int PRIMARY KEY REFERENCES tenant (id),
  owner       uuid NOT NULL,
  lease_until timestamptz NOT NULL,
  swept_at    timestamptz,
  zeros_at    timestamptz,                                                     -- counts of zero were last taken out
  bodies_upto uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'     -- no older batch has a body that could go
);

-- The proof of an erasure. What was erased is not repeated: `digest` is an HMAC of it, under the installation's key.
CREATE TABLE erasure (
  tenant_id int NOT NULL REFERENCES tenant (id),
  id        bigint GENERATED ALWAYS AS IDENTITY,
  at        timestamptz NOT NULL DEFAULT now(),
  kind      smallint NOT NULL CHECK (kind IN (1, 2)),                          -- 1 an address or a range, 2 the tenant
  actor     text NOT NULL CHECK (length(actor) <= 255),
  digest    bytea NOT NULL CHECK (length(digest) = 32),
  complete  boolean NOT NULL,                                                  -- nothing was left anywhere
  counts    jsonb NOT NULL,                                                    -- what went, by table
  PRIMARY KEY (tenant_id, id)
);

SELECT wall_off('retention'), wall_off('sweep'), wall_off('erasure');
GRANT SELECT, INSERT, UPDATE, DELETE ON retention TO garrison_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON sweep TO garrison_service;
GRANT SELECT, INSERT ON erasure TO garrison_service;
GRANT SELECT (class, days) ON retention TO garrison_platform;
GRANT SELECT (tenant_id, swept_at, lease_until) ON sweep TO garrison_platform;
GRANT SELECT ON erasure TO garrison_platform;

-- What ageing and erasure do to rows that were only ever added.
GRANT DELETE ON alert, alert_decision, signal_batch, rejected_signal, api_token, machine, filter_set TO garrison_service;
GRANT DELETE ON feed_content, event, geo_pass TO garrison_service;
GRANT UPDATE (body) ON signal_batch TO garrison_service;
GRANT UPDATE (message, leakspeed, agent, uuid, scenario, source_value, source_ip, source_range, source_as_name, source_cn,
  source_lo, source_hi, filter_reasons, forward_error, actor, raw_json) ON alert TO garrison_service;
GRANT UPDATE (reason) ON rejected_signal TO garrison_service;

-- A table's partitions by the times that lead their keys; the lowest has no `lo`.
CREATE FUNCTION partition_bounds(parent regclass) RETURNS TABLE (part regclass, lo timestamptz, hi timestamptz) LANGUAGE sql STABLE AS $$
  SELECT b.oid::regclass,
         to_timestamp(('x' || lpad(substr(replace(b.lower, '-', ''), 1, 12), 16, '0'))::bit(64)::bigint / 1000.0),
         to_timestamp(('x' || lpad(substr(replace(b.upper, '-', ''), 1, 12), 16, '0'))::bit(64)::bigint / 1000.0)
  FROM (SELECT c.oid, (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([0-9a-f-]+)''\)'))[1] AS lower,
               (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([0-9a-f-]+)''\)'))[1] AS upper
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent AND NOT i.inhdetachpending) b
$$;

-- For how many days from now every key has a partition in every table; negative where none has one now.
CREATE FUNCTION partitions_ahead() RETURNS double precision LANGUAGE sql STABLE AS $$
  SELECT extract(epoch FROM min(coalesce(e.hi, now() - interval '1 day')) - now()) / 86400
  FROM unnest(ARRAY['alert', 'alert_decision', 'signal_batch', 'rejected_signal']) AS t(parent)
  LEFT JOIN LATERAL (
    WITH b AS MATERIALIZED (SELECT * FROM partition_bounds(t.parent::regclass))
    -- The first that no other follows; without one below all, odd dates have no place.
    SELECT CASE WHEN bool_or(b.lo IS NULL) THEN min(b.hi) FILTER (WHERE NOT EXISTS (SELECT FROM b n WHERE n.lo = b.hi)) END AS hi
    FROM b) e ON true
$$;

-- As before, and it mends: a gap anywhere is closed, and a partition that was detached comes back with its rows.
CREATE OR REPLACE FUNCTION make_partitions(ahead interval) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  parent  text;
  week    timestamptz;
  further timestamptz;
  made    int := 0;
  name    text;
  first   timestamptz := '2026-01-05 00:00:00+00';  -- a Monday; earlier times share one partition
BEGIN
  PERFORM pg_advisory_xact_lock(7463216);
  FOREACH parent IN ARRAY ARRAY['alert', 'alert_decision', 'signal_batch', 'rejected_signal'] LOOP
    SELECT b.hi INTO week FROM partition_bounds(parent::regclass) b WHERE b.lo IS NULL;
    IF week IS NULL THEN
      SELECT coalesce(min(b.lo), greatest(first, date_trunc('week', now(), 'UTC') - interval '1 week')) INTO week
        FROM partition_bounds(parent::regclass) b;
      IF to_regclass(parent || '_old') IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', parent || '_old', parent);
      END IF;
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)', parent, parent || '_old', time_key(week));
      made := made + 1;
    END IF;
    WHILE week < now() + ahead LOOP
      SELECT b.hi INTO further FROM partition_bounds(parent::regclass) b WHERE b.lo = week;
      IF further IS NULL THEN
        further := week + interval '7 days';
        name := parent || '_' || to_char(week AT TIME ZONE 'UTC', 'IYYY"w"IW');
        -- Made beside and then attached: CREATE … PARTITION OF would wait for every reader and stop every writer.
        IF to_regclass(name) IS NULL THEN
          EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name, parent);
        END IF;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, time_key(week), time_key(further));
        made := made + 1;
      END IF;
      week := further;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;

-- Drops the lowest weeks of one table that are empty and ended longer ago than `behind`; the partition below all then
-- begins to hold their times, too, so that no date is ever without a place. The caller sets a short lock_timeout: writers
-- wait for as long as that at most. Dropping fires no trigger, so what has a single row stays.
CREATE FUNCTION drop_partitions(parent text, behind interval) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  below  regclass;
  week   timestamptz;
  found  record;
  filled boolean;
  gone   regclass[] := '{}';
  part   regclass;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7463216) THEN
    RETURN 0;
  END IF;
  SELECT b.part, b.hi INTO below, week FROM partition_bounds(parent::regclass) b WHERE b.lo IS NULL;
  LOOP
    SELECT b.part, b.hi INTO found FROM partition_bounds(parent::regclass) b WHERE b.lo = week;
    EXIT WHEN found.part IS NULL OR found.hi > now() - behind;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', found.part) INTO filled;
    EXIT WHEN filled;
    gone := gone || found.part;
    week := found.hi;
  END LOOP;
  IF cardinality(gone) = 0 OR below IS NULL THEN
    RETURN 0;
  END IF;
  -- Attaching reads it from end to end, while nobody else may: with many rows in it the weeks stay.
  EXECUTE format('SELECT count(*) > 10000 FROM (SELECT FROM %s LIMIT 10001) x', below) INTO filled;
  IF filled THEN
    RETURN 0;
  END IF;
  EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent);
  -- Again, now that nobody can add anything.
  FOREACH part IN ARRAY gone LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part) INTO filled;
    IF filled THEN
      RETURN 0;
    END IF;
  END LOOP;
  EXECUTE format('ALTER TABLE %I DETACH PARTITION %s', parent, below);
  FOREACH part IN ARRAY gone LOOP
    EXECUTE format('DROP TABLE %s', part);
  END LOOP;
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %s FOR VALUES FROM (MINVALUE) TO (%L)', parent, below, time_key(week));
  RETURN cardinality(gone);
END $$;

REVOKE EXECUTE ON FUNCTION partition_bounds(regclass), partitions_ahead(), make_partitions(interval), drop_partitions(text, interval) FROM PUBLIC;
