-- People, what they are in which tenant, and their sessions; tokens that reach less far and end in an orderly way.

-- A person belongs to no tenant: what they may do where is in membership. Adresses are ASCII and in small letters.
CREATE TABLE person (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email               text COLLATE "C" NOT NULL CHECK (length(email) BETWEEN 3 AND 120 AND email = lower(email)),
  name                text NOT NULL DEFAULT '' CHECK (length(name) <= 100),
  password_hash       text,                              -- argon2id; null until set
  password_changed_at timestamptz,
  totp                bytea,                             -- sealed
  totp_pending        bytea,                             -- sealed; shown, and not yet confirmed
  totp_step           bigint NOT NULL DEFAULT 0,         -- the last step that was used: none is good twice
  is_platform_admin   boolean NOT NULL DEFAULT false,
  created_at          timestamptz NOT NULL DEFAULT now(),
  last_login_at       timestamptz,
  disabled_at         timestamptz,
  reset_hash          bytea CHECK (length(reset_hash) = 32), -- of the text that sets a new password once
  reset_until         timestamptz
);
CREATE UNIQUE INDEX person_email ON person (email);
CREATE UNIQUE INDEX person_reset ON person (reset_hash) WHERE reset_hash IS NOT NULL;

CREATE TABLE membership (
  tenant_id  int NOT NULL REFERENCES tenant (id),
  person_id  bigint NOT NULL,
  role       smallint NOT NULL CHECK (role BETWEEN 1 AND 5), -- 1 viewer, 2 helpdesk, 3 operator, 4 admin, 5 auditor
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, person_id)
);
CREATE INDEX membership_person ON membership (person_id);

-- Its text is found through credential, kind 7.
CREATE TABLE invitation (
  tenant_id   int NOT NULL REFERENCES tenant (id),
  id          bigint GENERATED ALWAYS AS IDENTITY,
  email       text COLLATE "C" NOT NULL CHECK (length(email) BETWEEN 3 AND 120),
  name        text NOT NULL DEFAULT '' CHECK (length(name) <= 100),
  role        smallint NOT NULL CHECK (role BETWEEN 1 AND 5),
  created_by  text NOT NULL CHECK (length(created_by) <= 255),
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  accepted_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);

SELECT wall_off('membership'), wall_off('invitation');
GRANT SELECT, INSERT, UPDATE, DELETE ON membership, invitation TO garrison_service;
GRANT SELECT (tenant_id, person_id, role) ON membership TO garrison_platform;

-- A login's session: of a person, or of who showed an API token.
CREATE TABLE session (
  id           uuid PRIMARY KEY,
  person_id    bigint,
  token_tenant int,
  token_id     bigint,
  chosen       int,                                      -- the tenant that the person chose at login
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  revoked_at   timestamptz,
  CHECK ((person_id IS NULL) = (token_id IS NOT NULL) AND (token_id IS NULL) = (token_tenant IS NULL))
);
CREATE INDEX session_person ON session (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX session_token ON session (token_tenant, token_id) WHERE token_id IS NOT NULL;
CREATE INDEX session_expiry ON session (expires_at);

-- What signs sessions: a key is derived from the installation's secret and the salt.
CREATE TABLE session_key (
  kid        int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  salt       bytea NOT NULL CHECK (length(salt) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  retired_at timestamptz
);

-- Failed logins as buckets that leak, by keyed hash of an account, of a network, of both.
CREATE TABLE login_throttle (
  key     bytea PRIMARY KEY CHECK (length(key) = 32),
  level   double precision NOT NULL,
  at      timestamptz NOT NULL DEFAULT now(),
  good_at timestamptz                                    -- this person last logged in from this network
);
CREATE INDEX login_throttle_at ON login_throttle (at);

GRANT SELECT, INSERT, UPDATE, DELETE ON person, session, session_key, login_throttle TO garrison_platform;

-- Tokens: what they reach, where from, and who made them. `scope` stays what earlier releases read.
ALTER TABLE api_token ADD COLUMN IF NOT EXISTS scopes text[];                       -- null: as `scope` says
ALTER TABLE api_token ADD COLUMN IF NOT EXISTS networks cidr[] NOT NULL DEFAULT '{}'; -- empty: from anywhere
ALTER TABLE api_token ADD COLUMN IF NOT EXISTS created_by text NOT NULL DEFAULT '';
ALTER TABLE api_token ADD COLUMN IF NOT EXISTS rotated_from bigint;
GRANT SELECT (name, scopes, networks) ON api_token TO garrison_platform;

ALTER TABLE tenant ADD COLUMN IF NOT EXISTS suspended_at timestamptz;

-- Two kinds of credential more: 6 API token that earlier releases would believe to reach further, 7 invitation.
ALTER TABLE credential DROP CONSTRAINT IF EXISTS credential_kind_check;
ALTER TABLE credential ADD CONSTRAINT credential_kind_check CHECK (kind IN (1, 2, 3, 4, 5, 6, 7));
