-- The desired set: what a tenant's fleet should enforce, a row for each who says so. An address that two servers banned
-- on their own has two rows, and stays banned until both let go.
CREATE TABLE decision (
  tenant_id  int NOT NULL,
  key        uuid NOT NULL,                             -- a hash of scope, value and type: what a server holds one of
  source     smallint NOT NULL CHECK (source IN (1, 2, 3)), -- 1 an engine's signal, 2 a LAPI server's own, 3 a hand here
  source_id  bigint NOT NULL,                           -- machine, server, 0
  origin     text COLLATE "C" NOT NULL CHECK (length(origin) <= 255),
  scope      text COLLATE "C" NOT NULL CHECK (scope IN ('Ip', 'Range', 'Country', 'AS')),
  value      text COLLATE "C" NOT NULL CHECK (length(value) <= 255),
  type       text COLLATE "C" NOT NULL CHECK (length(type) <= 255),
  scenario   text COLLATE "C" NOT NULL CHECK (length(scenario) <= 255),
  lo         inet,                                      -- first and last address, where it is about addresses
  hi         inet,
  until      timestamptz NOT NULL,
  uuid       text COLLATE "C",                          -- as engines from 1.5 on name it
  servers    bigint[],                                  -- source 3 only: where; null is everywhere
  reason     text,                                      -- source 3 only
  actor      text,                                      -- source 3 only
  since      timestamptz NOT NULL DEFAULT now(),
  lifted_at  timestamptz,                               -- lifted here: to be lifted on the server it is from, too
  lift_done  boolean NOT NULL DEFAULT false,            -- lifted there; the row goes once the server's stream says so
  PRIMARY KEY (tenant_id, key, source, source_id, origin)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX decision_by_address ON decision (tenant_id, lo) WHERE lo IS NOT NULL;
CREATE INDEX decision_by_range ON decision (tenant_id, lo) WHERE lo <> hi;
CREATE INDEX decision_by_source ON decision (tenant_id, source, source_id);
CREATE INDEX decision_by_end ON decision (tenant_id, until);

-- What Garrison put on a LAPI server, as far as it knows.
CREATE TABLE lapi_copy (
  tenant_id  int NOT NULL,
  server_id  bigint NOT NULL,
  key        uuid NOT NULL,
  scope      text COLLATE "C" NOT NULL,
  value      text COLLATE "C" NOT NULL,
  type       text COLLATE "C" NOT NULL,
  until      timestamptz NOT NULL,
  state      smallint NOT NULL DEFAULT 1,               -- 1 there, 2 refused there for good
  error      text CHECK (length(error) <= 200),
  placed_at  timestamptz NOT NULL DEFAULT now(),
  checked_at timestamptz,                               -- last seen there
  PRIMARY KEY (tenant_id, server_id, key),
  FOREIGN KEY (tenant_id, server_id) REFERENCES lapi_server (tenant_id, id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX lapi_copy_by_end ON lapi_copy (tenant_id, until);
CREATE INDEX lapi_copy_by_key ON lapi_copy (tenant_id, key);

-- How far a server is read and written. `open` is set before a conversation whose outcome matters and cleared when its
-- outcome is committed: found set, everything is compared anew.
CREATE TABLE lapi_sync (
  tenant_id     int NOT NULL,
  server_id     bigint NOT NULL,
  read_open     boolean NOT NULL DEFAULT false,
  read_at       timestamptz,                            -- last answer of its stream that is taken over
  full_at       timestamptz,                            -- last whole answer
  session_at    timestamptz,                            -- last sign of life of our session there
  write_open    boolean NOT NULL DEFAULT true,
  compared_at   timestamptz,                            -- last comparison of what is there with what should be
  skew_ms       bigint NOT NULL DEFAULT 0,              -- its clock minus ours
  machine_id    bigint,                                 -- which of the tenant's engines it is, once a decision's uuid told
  PRIMARY KEY (tenant_id, server_id),
  FOREIGN KEY (tenant_id, server_id) REFERENCES lapi_server (tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Lanes that have work at a time, not only when their log grew.
ALTER TABLE lane ADD COLUMN IF NOT EXISTS due_at timestamptz NOT NULL DEFAULT 'infinity';
ALTER TABLE lane ADD COLUMN IF NOT EXISTS claimed_at timestamptz NOT NULL DEFAULT '-infinity';
COMMENT ON COLUMN lane.topic IS '1 signals for CAPI, 2 decisions for a LAPI server, 3 decisions from one, 4 the tenant''s set from signals';

-- Whether the tenant's set is kept up, from its first LAPI server, feed, allowlist or ban on; and whether what was
-- reported before then is in it.
ALTER TABLE tenant ADD COLUMN IF NOT EXISTS keeps_decisions boolean NOT NULL DEFAULT false;
ALTER TABLE tenant ADD COLUMN IF NOT EXISTS decisions_complete boolean NOT NULL DEFAULT false;

-- Answers to requests that carried an Idempotency-Key.
CREATE TABLE idempotent_answer (
  tenant_id  int NOT NULL,
  key        text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  request    bytea NOT NULL,                            -- a hash of what was asked
  status     smallint,                                  -- null while it is worked on
  body       text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotent_answer_by_age ON idempotent_answer (tenant_id, created_at);

SELECT wall_off('decision'), wall_off('lapi_copy'), wall_off('lapi_sync'), wall_off('idempotent_answer');
GRANT SELECT, INSERT, UPDATE, DELETE ON decision, lapi_copy, lapi_sync, idempotent_answer TO garrison_service;
GRANT DELETE ON lane TO garrison_service;

-- Servers that were registered before this release.
INSERT INTO lapi_sync (tenant_id, server_id) SELECT tenant_id, id FROM lapi_server;
INSERT INTO lane (tenant_id, topic, subject_id, due_at)
  SELECT tenant_id, t, id, now() FROM lapi_server, unnest(ARRAY[2, 3]) AS t ON CONFLICT DO NOTHING;
INSERT INTO lane (tenant_id, topic, subject_id, due_at)
  SELECT DISTINCT tenant_id, 4, 0, now() FROM lapi_server ON CONFLICT DO NOTHING;
UPDATE tenant SET keeps_decisions = true WHERE id IN (SELECT tenant_id FROM lapi_server);
