-- Who may ask: tokens of programs, machines that speak CAPI to us.
CREATE TABLE api_token (
  tenant_id    int NOT NULL REFERENCES tenant (id),
  id           bigint GENERATED ALWAYS AS IDENTITY,
  name         text NOT NULL DEFAULT '' CHECK (length(name) <= 100),
  hash         bytea NOT NULL,
  last4        text NOT NULL,
  scope        smallint NOT NULL CHECK (scope IN (1, 2)),  -- 1 read, 2 admin
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  PRIMARY KEY (tenant_id, id)
);

CREATE TABLE machine (
  tenant_id              int NOT NULL REFERENCES tenant (id),
  id                     bigint GENERATED ALWAYS AS IDENTITY,
  login                  text NOT NULL CHECK (length(login) BETWEEN 1 AND 128),
  kind                   smallint NOT NULL CHECK (kind IN (1, 2)),  -- 1 credentials issued by us, 2 accepted by CAPI
  name                   text NOT NULL DEFAULT '' CHECK (length(name) <= 255),
  password_hash          text,       -- argon2id, kind 1 only
  upstream_login         text NOT NULL,
  upstream_password      bytea NOT NULL,   -- sealed
  upstream_registered    boolean NOT NULL, -- false until CAPI knows credentials that we made up
  upstream_token         bytea,            -- sealed
  upstream_token_expires timestamptz,
  upstream_login_until   timestamptz NOT NULL DEFAULT '-infinity', -- who logs in upstream holds this, so that one does
  scenarios              text[] NOT NULL DEFAULT '{}',             -- as last told at login; CAPI wants them again
  user_agent             text CHECK (length(user_agent) <= 256),
  created_at             timestamptz NOT NULL DEFAULT now(),
  last_seen_at           timestamptz,
  removed_at             timestamptz,      -- removed, or moved to another tenant
  PRIMARY KEY (tenant_id, id),
  CHECK ((kind = 1) = (password_hash IS NOT NULL))
);
CREATE UNIQUE INDEX machine_by_login ON machine (tenant_id, login) WHERE removed_at IS NULL;

SELECT wall_off('api_token'), wall_off('machine');
GRANT SELECT, INSERT, UPDATE ON api_token, machine TO garrison_service;
GRANT SELECT (tenant_id, id, scope, expires_at, revoked_at), UPDATE (last_used_at) ON api_token TO garrison_platform;
GRANT SELECT (tenant_id, id, login, kind, password_hash, removed_at, user_agent), UPDATE (last_seen_at) ON machine TO garrison_platform;
GRANT UPDATE (removed_at) ON machine TO garrison_platform;  -- a machine that moves to another tenant
