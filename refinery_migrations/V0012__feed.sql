-- Lists for firewalls: what of the desired set each of them is to hold.
CREATE TABLE feed (
  tenant_id   int NOT NULL REFERENCES tenant (id),
  id          bigint GENERATED ALWAYS AS IDENTITY,
  name        text COLLATE "C" NOT NULL CHECK (name ~ '^[a-zA-Z0-9_-]{1,64}$'),
  description text NOT NULL DEFAULT '' CHECK (length(description) <= 500),
  origins     text[] NOT NULL DEFAULT '{}',            -- these only; empty is all
  types       text[] NOT NULL DEFAULT '{ban}',
  scenarios   text[] NOT NULL DEFAULT '{}',            -- parts of their names
  family      smallint CHECK (family IN (4, 6)),       -- null is both
  aggregate   boolean NOT NULL DEFAULT false,
  max_entries int CHECK (max_entries > 0),
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);

-- What a firewall fetches a feed with; it opens nothing else.
CREATE TABLE feed_token (
  tenant_id    int NOT NULL,
  id           bigint GENERATED ALWAYS AS IDENTITY,
  feed_id      bigint NOT NULL,
  last4        text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, feed_id) REFERENCES feed (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX feed_token_by_feed ON feed_token (tenant_id, feed_id);

-- When the content of a feed last changed, as far as anybody fetched it: what Last-Modified says on every replica. One
-- of 64 rows for each way to ask for the feed; two ways that share a row only look as if they changed more often.
CREATE TABLE feed_content (
  tenant_id  int NOT NULL,
  feed_id    bigint NOT NULL,
  slot       smallint NOT NULL CHECK (slot BETWEEN 0 AND 63),
  hash       bytea NOT NULL CHECK (length(hash) = 32),
  changed_at timestamptz NOT NULL DEFAULT date_trunc('second', now()),
  PRIMARY KEY (tenant_id, feed_id, slot),
  FOREIGN KEY (tenant_id, feed_id) REFERENCES feed (tenant_id, id) ON DELETE CASCADE
);

SELECT wall_off('feed'), wall_off('feed_token'), wall_off('feed_content');
GRANT SELECT, INSERT, DELETE ON feed, feed_token TO garrison_service;
GRANT SELECT, INSERT, UPDATE ON feed_content TO garrison_service;
GRANT SELECT (tenant_id, id, feed_id), UPDATE (last_used_at) ON feed_token TO garrison_platform;

-- One kind of credential more: 5 feed token.
ALTER TABLE credential DROP CONSTRAINT IF EXISTS credential_kind_check;
ALTER TABLE credential ADD CONSTRAINT credential_kind_check CHECK (kind IN (1, 2, 3, 4, 5));
