-- CAPI's last good answer to a machine's pull, served stale while CAPI is down. One row a machine and question.
CREATE TABLE stream_cache (
  tenant_id    int NOT NULL,
  machine_id   bigint NOT NULL,
  target       text NOT NULL CHECK (length(target) <= 512),  -- path and query
  fetched_at   timestamptz NOT NULL DEFAULT now(),
  content_type text NOT NULL,
  body         bytea NOT NULL,                               -- zstd
  PRIMARY KEY (tenant_id, machine_id, target)
);
ALTER TABLE stream_cache ALTER COLUMN body SET STORAGE EXTERNAL;
SELECT wall_off('stream_cache');
GRANT SELECT, INSERT, UPDATE, DELETE ON stream_cache TO garrison_service;
