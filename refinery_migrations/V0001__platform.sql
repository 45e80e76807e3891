-- What exists before a tenant is known. These tables carry no row-level security; only garrison_platform
-- (the role of credential look-ups, lane claims and the command line) may touch them.

-- Facts about this installation: the fingerprint of its secret key, the cluster its cursors belong to.
CREATE TABLE platform_fact (
  name  text PRIMARY KEY,
  value bytea NOT NULL
);

CREATE TABLE tenant (
  id              int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- never used again
  name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  forward_enabled boolean NOT NULL DEFAULT true,
  dedupe_key      bytea NOT NULL CHECK (length(dedupe_key) = 32), -- keys the alert keys of this tenant
  created_at      timestamptz NOT NULL DEFAULT now(),
  removed_at      timestamptz
);
CREATE UNIQUE INDEX tenant_name ON tenant (name) WHERE removed_at IS NULL;

-- From the keyed hash of what a caller shows to whose it is. Rows go when the credential is revoked.
CREATE TABLE credential (
  hash       bytea PRIMARY KEY CHECK (length(hash) = 32),
  kind       smallint NOT NULL CHECK (kind IN (1, 2, 3, 4)), -- 1 API token, 2 machine's CAPI token, 3 enrolment key, 4 token of a login without a tenant
  tenant_id  int REFERENCES tenant (id),                     -- null for kind 4 only
  subject_id bigint NOT NULL,
  expires_at timestamptz,
  CHECK ((tenant_id IS NULL) = (kind = 4))
);
CREATE INDEX credential_subject ON credential (tenant_id, kind, subject_id);
CREATE INDEX credential_expiry ON credential (expires_at) WHERE expires_at IS NOT NULL;

-- From a machine's login to its tenant: a login belongs to one tenant at a time.
CREATE TABLE machine_login (
  login      text PRIMARY KEY CHECK (length(login) BETWEEN 1 AND 128),
  tenant_id  int NOT NULL REFERENCES tenant (id),
  machine_id bigint NOT NULL
);

-- Logins that CAPI accepted but no tenant has: they may enrol, nothing else.
CREATE TABLE unbound_login (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  login            text NOT NULL UNIQUE CHECK (length(login) BETWEEN 1 AND 128),
  password         bytea NOT NULL,  -- sealed
  token            bytea NOT NULL,  -- sealed
  token_expires_at timestamptz NOT NULL,
  user_agent       text CHECK (length(user_agent) <= 256),
  seen_at          timestamptz NOT NULL DEFAULT now()
);

-- Every login sent to CAPI, which bans an address for more than 20 in 50 minutes.
CREATE TABLE upstream_login (
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  id bigint GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (at, id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON platform_fact, tenant, credential, machine_login, unbound_login, upstream_login
  TO garrison_platform;
