-- Tenants that come in from a file.

-- Until all of it is in, such a tenant is out of service as one that was deleted is: nothing of its opens anything, and nobody
-- sees it. The lease is the import's while `importing`; once it lapses, what is there is erased.
ALTER TABLE tenant_erasure ADD COLUMN IF NOT EXISTS importing boolean NOT NULL DEFAULT false;
GRANT UPDATE (importing), DELETE ON tenant_erasure TO garrison_platform;
