-- Forwarding is log-shaped: an append-only outbox, written in the transaction that stores the alerts, and one lane
-- a machine, which holds how far its log is delivered. Rows of the outbox go when they are delivered.
CREATE TABLE outbox (
  tenant_id  int NOT NULL,
  topic      smallint NOT NULL,          -- 1 signals for CAPI
  subject_id bigint NOT NULL,            -- the lane: for topic 1 the machine
  xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq        bigint GENERATED ALWAYS AS IDENTITY,
  created_at timestamptz NOT NULL DEFAULT now(),
  keys       uuid[] NOT NULL CHECK (cardinality(keys) BETWEEN 1 AND 50),
  PRIMARY KEY (tenant_id, topic, subject_id, xid, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX outbox_dispatch ON outbox (xid, tenant_id, topic, subject_id);

CREATE TABLE lane (
  tenant_id     int NOT NULL REFERENCES tenant (id),
  topic         smallint NOT NULL,
  subject_id    bigint NOT NULL,
  cursor_xid    xid8 NOT NULL DEFAULT '0',
  cursor_seq    bigint NOT NULL DEFAULT 0,
  wake_xid      xid8 NOT NULL DEFAULT '0',  -- up to here the log is known to hold rows; set by the dispatcher only
  read_xid      xid8 NOT NULL DEFAULT '0',  -- up to here the lane is drained; set by the worker only
  lease_owner   uuid,
  lease_until   timestamptz NOT NULL DEFAULT '-infinity',
  fence         bigint NOT NULL DEFAULT 0,  -- goes up with every claim; who holds an older one lost the lane
  next_try_at   timestamptz NOT NULL DEFAULT '-infinity',
  failures      int NOT NULL DEFAULT 0,     -- consecutive
  last_error    text,
  first_fail_at timestamptz,
  last_ok_at    timestamptz,
  PRIMARY KEY (tenant_id, topic, subject_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
-- No index on lease_until, next_try_at or wake_xid: a lane's updates stay in its page.

-- How far the dispatcher looked; one row.
CREATE TABLE dispatch (
  id        int PRIMARY KEY CHECK (id = 1),
  last_xmin xid8 NOT NULL DEFAULT '0'
);
INSERT INTO dispatch VALUES (1);

SELECT wall_off('outbox'), wall_off('lane');
GRANT SELECT, INSERT, DELETE ON outbox TO garrison_service;
GRANT SELECT, INSERT, UPDATE ON lane TO garrison_service;
GRANT SELECT (tenant_id, topic, subject_id, xid, created_at) ON outbox TO garrison_platform;
GRANT UPDATE (xid) ON outbox TO garrison_platform;
GRANT SELECT, UPDATE ON lane TO garrison_platform;
GRANT SELECT, UPDATE ON dispatch TO garrison_platform;
