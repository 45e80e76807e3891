-- The LAPI servers of a tenant, which its decisions are searched in and written to. Secrets are sealed for the tenant,
-- the name and the URL, so that they open nowhere else.
CREATE TABLE lapi_server (
  tenant_id           int NOT NULL REFERENCES tenant (id),
  id                  bigint GENERATED ALWAYS AS IDENTITY,
  slot                int NOT NULL CHECK (slot > 0),  -- one of as many as a tenant may have: the quota cannot be raced past
  name                text COLLATE "C" NOT NULL CHECK (name ~ '^[a-zA-Z0-9_-]{1,64}$'),
  url                 text NOT NULL CHECK (length(url) <= 1024),
  bouncer_key         bytea NOT NULL,                 -- sealed
  machine_id          text CHECK (length(machine_id) <= 255),
  machine_password    bytea,                          -- sealed
  replicate_decisions boolean NOT NULL DEFAULT false,
  source_machine_ids  text[] NOT NULL DEFAULT '{}',   -- agents behind it: what they report does not go back there
  tags                text[] NOT NULL DEFAULT '{}',
  version             bigint NOT NULL DEFAULT 1,      -- goes up with every change; sessions belong to one version
  created_at          timestamptz NOT NULL DEFAULT now(),
  updated_at          timestamptz NOT NULL DEFAULT now(),
  checked_at          timestamptz,
  check_reachable     boolean,
  check_key           boolean,                        -- null: could not be tried
  check_login         boolean,
  check_version       text CHECK (length(check_version) <= 100),  -- what its routes tell of its release
  check_error         text CHECK (length(check_error) <= 200),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name),
  UNIQUE (tenant_id, slot),
  CHECK ((machine_id IS NULL) = (machine_password IS NULL))
);
SELECT wall_off('lapi_server');
GRANT SELECT, INSERT, UPDATE, DELETE ON lapi_server TO garrison_service;

-- What rows of our own say in full: they point into no batch.
ALTER TABLE alert ADD COLUMN IF NOT EXISTS raw_json text;
