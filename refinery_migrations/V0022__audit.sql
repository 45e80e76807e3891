-- Who did what: a chain of entries a tenant. Each is sealed by an HMAC, keyed outside of the database, over itself and the
-- seal of the one before, so that whoever owns the database cannot change, drop or reorder entries unseen.

-- How far a tenant's chain is. A chain that was not begun yet has 0. Changing it makes the changes of a tenant take turns.
CREATE TABLE audit_head (
  tenant_id int PRIMARY KEY REFERENCES tenant (id),
  seq       bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
  hash      bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (length(hash) = 32)
);

-- What never changes and names nobody. The words stand in audit_text, by their digest here.
CREATE TABLE audit_entry (
  tenant_id  int NOT NULL REFERENCES tenant (id),
  seq        bigint NOT NULL CHECK (seq > 0),
  at         timestamptz NOT NULL,
  actor_kind smallint NOT NULL CHECK (actor_kind BETWEEN 1 AND 5),             -- 1 token 2 user 3 machine 4 command line 5 Garrison
  actor_id   bigint,
  action     text NOT NULL CHECK (length(action) <= 64),
  outcome    smallint NOT NULL CHECK (outcome IN (1, 2)),                      -- 1 done 2 refused
  erased     bigint[] NOT NULL DEFAULT '{}',                                   -- entries whose words this one took out: from, to, from, to …
  digest     bytea NOT NULL CHECK (length(digest) = 32),
  prev       bytea NOT NULL CHECK (length(prev) = 32),
  hash       bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_entry_at ON audit_entry (tenant_id, at);

-- The words of an entry: what an erasure takes out. The chain holds without them.
CREATE TABLE audit_text (
  tenant_id  int NOT NULL,
  seq        bigint NOT NULL,
  actor      text NOT NULL CHECK (length(actor) <= 256),
  target     text NOT NULL CHECK (length(target) <= 256),
  details    json NOT NULL CHECK (length(details::text) <= 4096),              -- json and not jsonb: kept to the byte
  source     inet,
  request_id text CHECK (length(request_id) <= 64),
  PRIMARY KEY (tenant_id, seq),
  FOREIGN KEY (tenant_id, seq) REFERENCES audit_entry (tenant_id, seq) ON DELETE CASCADE
);

SELECT wall_off('audit_head'), wall_off('audit_entry'), wall_off('audit_text');
-- Entries are only ever added. Words go by an erasure, everything with a tenant that was removed.
GRANT SELECT, UPDATE (seq, hash) ON audit_head TO garrison_service;
GRANT SELECT, INSERT ON audit_entry TO garrison_service;
GRANT SELECT, INSERT, DELETE ON audit_text TO garrison_service;
GRANT SELECT, INSERT (tenant_id), DELETE ON audit_head TO garrison_platform;
GRANT SELECT (tenant_id, seq), DELETE ON audit_entry TO garrison_platform;

-- Every tenant has a head from its first moment, also one that the release before makes.
INSERT INTO audit_head (tenant_id) SELECT id FROM tenant;
CREATE FUNCTION begin_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_head (tenant_id) VALUES (NEW.id);
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION begin_audit() FROM PUBLIC;
CREATE TRIGGER begin_audit AFTER INSERT ON tenant FOR EACH ROW EXECUTE FUNCTION begin_audit();
