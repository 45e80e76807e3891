-- Tenants that come in from a file, and limits of their own.

-- Until all of it is in, such a tenant is out of service as one that was deleted is: nothing of its opens anything, and nobody
-- sees it. The lease is the import's while `importing`; once it lapses, what is there is erased.
ALTER TABLE tenant_erasure ADD COLUMN IF NOT EXISTS importing boolean NOT NULL DEFAULT false;
GRANT UPDATE (importing), DELETE ON tenant_erasure TO garrison_platform;

-- Limits of a tenant that are others than the configuration's. Null is as configured; 0 is no limit where it is one there.
CREATE TABLE tenant_limit (
  tenant_id       int PRIMARY KEY REFERENCES tenant (id),
  token_requests  bigint CHECK (token_requests BETWEEN 0 AND 1000000000000),
  tenant_requests bigint CHECK (tenant_requests BETWEEN 0 AND 1000000000000),
  tenant_items    bigint CHECK (tenant_items BETWEEN 0 AND 1000000000000),
  tenant_bytes    bigint CHECK (tenant_bytes BETWEEN 0 AND 1000000000000),
  machine_items   bigint CHECK (machine_items BETWEEN 0 AND 1000000000000),
  machine_bytes   bigint CHECK (machine_bytes BETWEEN 0 AND 1000000000000),
  pushes          int CHECK (pushes BETWEEN 0 AND 100000),         -- in work at a time, on each replica
  reads           int CHECK (reads BETWEEN 0 AND 100000),
  heavy           int CHECK (heavy BETWEEN 0 AND 100000),
  changes         int CHECK (changes BETWEEN 0 AND 100000),
  streams         int CHECK (streams BETWEEN 0 AND 400),
  rules           int CHECK (rules BETWEEN 0 AND 1000),            -- that it may have
  lapi_servers    int CHECK (lapi_servers BETWEEN 0 AND 1000)
);
SELECT wall_off('tenant_limit');
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_limit TO garrison_platform;
GRANT SELECT (tenant_id), DELETE ON tenant_limit TO garrison_service;
