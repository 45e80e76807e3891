-- Coming in through an identity provider, or as a proxy says: who is whom there, what groups gave, and what was used once.

-- A person at a provider. `issuer` is the provider's, or 'headers' for what a proxy says.
CREATE TABLE person_identity (
  issuer     text COLLATE "C" NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
  subject    text COLLATE "C" NOT NULL CHECK (length(subject) BETWEEN 1 AND 1024),
  person_id  bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (issuer, subject)
);
-- One person is one subject there: an address that came to somebody else opens nothing of theirs.
CREATE UNIQUE INDEX person_identity_person ON person_identity (issuer, person_id);

-- What is good once on whichever replica it is shown: the state of a login, the id of a logout token.
CREATE TABLE single_use (
  key        bytea PRIMARY KEY CHECK (length(key) = 32),     -- keyed hash
  expires_at timestamptz NOT NULL                            -- what it stands for is refused by its age from here on
);
CREATE INDEX single_use_expiry ON single_use (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON person_identity, single_use TO garrison_platform;

-- What was given by hand stays; what groups gave comes and goes with them.
ALTER TABLE membership ADD COLUMN IF NOT EXISTS origin smallint NOT NULL DEFAULT 1 CHECK (origin IN (1, 2)); -- 1 by hand 2 by groups
GRANT SELECT (origin) ON membership TO garrison_platform;
ALTER TABLE person ADD COLUMN IF NOT EXISTS admin_by_groups boolean NOT NULL DEFAULT false;

-- The provider's session that ours came from: what it names when it logs somebody out.
ALTER TABLE session ADD COLUMN IF NOT EXISTS issuer text COLLATE "C";
ALTER TABLE session ADD COLUMN IF NOT EXISTS subject text COLLATE "C";
ALTER TABLE session ADD COLUMN IF NOT EXISTS provider_sid text COLLATE "C";
CREATE INDEX session_subject ON session (issuer, subject) WHERE issuer IS NOT NULL;
CREATE INDEX session_sid ON session (issuer, provider_sid) WHERE provider_sid IS NOT NULL;
