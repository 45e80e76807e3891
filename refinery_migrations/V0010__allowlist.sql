-- Addresses that a tenant never wants banned, in named lists.
CREATE TABLE allowlist (
  tenant_id   int NOT NULL REFERENCES tenant (id),
  id          bigint GENERATED ALWAYS AS IDENTITY,
  name        text COLLATE "C" NOT NULL CHECK (name ~ '^[a-zA-Z0-9_-]{1,64}$'),
  description text NOT NULL DEFAULT '' CHECK (length(description) <= 500),
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),        -- last change of it or of an entry
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);

CREATE TABLE allowlist_entry (
  tenant_id    int NOT NULL,
  id           bigint GENERATED ALWAYS AS IDENTITY,
  allowlist_id bigint NOT NULL,
  value        text COLLATE "C" NOT NULL CHECK (length(value) <= 64),  -- canonical: an address or a range
  lo           inet NOT NULL,
  hi           inet NOT NULL,
  reason       text NOT NULL DEFAULT '' CHECK (length(reason) <= 500),
  actor        text NOT NULL DEFAULT '',
  expires_at   timestamptz,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, allowlist_id, value),
  FOREIGN KEY (tenant_id, allowlist_id) REFERENCES allowlist (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX allowlist_entry_by_address ON allowlist_entry (tenant_id, lo);

SELECT wall_off('allowlist'), wall_off('allowlist_entry');
GRANT SELECT, INSERT, UPDATE, DELETE ON allowlist, allowlist_entry TO garrison_service;
