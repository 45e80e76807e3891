-- Searches in a tenant's logs that run by themselves and decide.
CREATE TABLE analyzer (
  tenant_id   int NOT NULL REFERENCES tenant (id),
  id          bigint GENERATED ALWAYS AS IDENTITY,
  slug        text COLLATE "C" NOT NULL CHECK (slug ~ '^[a-zA-Z0-9_-]{1,64}$'),  -- the id that users know
  rule        jsonb NOT NULL,                          -- what it does, without secrets
  url         text NOT NULL CHECK (length(url) <= 1024),
  token       bytea,                                   -- sealed for tenant, slug and url
  enabled     boolean NOT NULL,
  counts_from timestamptz NOT NULL DEFAULT '-infinity', -- log lines before are not looked at: a longer lookback does not reach back
  version     bigint NOT NULL DEFAULT 1,               -- goes up with every change
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, slug)
);

-- What its runs found and did.
CREATE TABLE analyzer_run (
  tenant_id    int NOT NULL,
  id           bigint GENERATED ALWAYS AS IDENTITY,
  analyzer_id  bigint NOT NULL,
  by_hand      boolean NOT NULL,
  started_at   timestamptz NOT NULL,
  completed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  error        text CHECK (length(error) <= 500),      -- null: it succeeded
  lines        int NOT NULL,
  skipped      int NOT NULL,
  detections   int NOT NULL,
  decisions    int NOT NULL,
  refused      int NOT NULL,
  truncated    text[] NOT NULL,
  results      jsonb NOT NULL,
  pushes       jsonb NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, analyzer_id) REFERENCES analyzer (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX analyzer_run_by_analyzer ON analyzer_run (tenant_id, analyzer_id, id);

-- Up to which log line an analyzer acted upon a value: no line counts twice, however its windows overlap.
CREATE TABLE analyzer_mark (
  tenant_id   int NOT NULL,
  analyzer_id bigint NOT NULL,
  value       text COLLATE "C" NOT NULL CHECK (length(value) <= 64),
  acted_ns    bigint NOT NULL,                         -- as log stores count time
  PRIMARY KEY (tenant_id, analyzer_id, value),
  FOREIGN KEY (tenant_id, analyzer_id) REFERENCES analyzer (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX analyzer_mark_by_time ON analyzer_mark (tenant_id, analyzer_id, acted_ns);

SELECT wall_off('analyzer'), wall_off('analyzer_run'), wall_off('analyzer_mark');
GRANT SELECT, INSERT, UPDATE, DELETE ON analyzer, analyzer_mark TO garrison_service;
GRANT SELECT, INSERT, DELETE ON analyzer_run TO garrison_service;

-- One who says that a decision should hold more: 4 an analyzer, by its number. As a range, so that numbers that other
-- migrations add stay good.
ALTER TABLE decision DROP CONSTRAINT IF EXISTS decision_source_check;
ALTER TABLE decision ADD CONSTRAINT decision_source_check CHECK (source BETWEEN 1 AND 99);
COMMENT ON COLUMN decision.source IS '1 an engine''s signal, 2 a LAPI server''s own, 3 a hand here, 4 an analyzer';
COMMENT ON COLUMN lane.topic IS '1 signals for CAPI, 2 decisions for a LAPI server, 3 decisions from one, 4 the tenant''s set from signals, 5 an analyzer';
