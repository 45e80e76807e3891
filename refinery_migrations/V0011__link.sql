-- The tenant's bans and allowlists on the decisions stream that its machines pull anyway.
ALTER TABLE machine ADD COLUMN IF NOT EXISTS delivers boolean NOT NULL DEFAULT false;      -- whether they ride on its stream
ALTER TABLE machine ADD COLUMN IF NOT EXISTS takes_back_until timestamptz;                 -- after that was switched off: what it was given is taken back
ALTER TABLE machine ADD COLUMN IF NOT EXISTS startup_owed boolean NOT NULL DEFAULT false;  -- it asked for everything and got our part only
GRANT SELECT (delivers, takes_back_until) ON machine TO garrison_platform;

-- Lists that a machine fetched or was told of. What a list held when it was last fetched decides whether it changed since.
CREATE TABLE link_list (
  tenant_id  int NOT NULL,
  machine_id bigint NOT NULL,
  kind       smallint NOT NULL CHECK (kind IN (1, 2)),   -- 1 a blocklist, 2 an allowlist
  list       text COLLATE "C" NOT NULL CHECK (length(list) <= 300), -- scope and type, or the allowlist's number
  name       text COLLATE "C" NOT NULL DEFAULT '',       -- of an allowlist: a machine that has one whose row is gone is told to empty it
  digest     bytea,
  changed_at timestamptz,                                -- whole seconds, never the same for two contents
  told_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, machine_id, kind, list)
);

-- What machines before 1.5 were given as single decisions: what is no longer wanted is sent as deleted, until it ends by
-- itself or for a week.
CREATE TABLE link_given (
  tenant_id  int NOT NULL,
  machine_id bigint NOT NULL,
  value      text COLLATE "C" NOT NULL CHECK (length(value) <= 64),
  type       text COLLATE "C" NOT NULL CHECK (length(type) <= 255),
  until      timestamptz NOT NULL,
  gone_at    timestamptz,                                -- first told to be deleted
  PRIMARY KEY (tenant_id, machine_id, value)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

SELECT wall_off('link_list'), wall_off('link_given');
GRANT SELECT, INSERT, UPDATE, DELETE ON link_list, link_given TO garrison_service;
