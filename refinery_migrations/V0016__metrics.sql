-- What engines tell of the components behind them, and what those counted: usage metrics that pass on their way to CAPI.

-- A bouncer, a log processor or the engine's Local API, as it was told last.
CREATE TABLE usage_component (
  tenant_id     int NOT NULL,
  machine_id    bigint NOT NULL,
  kind          smallint NOT NULL CHECK (kind IN (1, 2, 3)),  -- 1 remediation component, 2 log processor, 3 Local API
  name          text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  type          text CHECK (length(type) <= 100),
  os_name       text CHECK (length(os_name) <= 100),
  os_version    text CHECK (length(os_version) <= 100),
  version       text CHECK (length(version) <= 100),
  active_at     timestamptz,                                  -- its last pull or push, as its engine knows
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at  timestamptz NOT NULL DEFAULT now(),           -- last told of here
  PRIMARY KEY (tenant_id, machine_id, kind, name)
) WITH (fillfactor = 80);

-- What a component counted within a window of time. Engines repeat what was not acknowledged, alone or among others: the
-- key is a hash of whose it is, when its window ended and what it says, so that it is counted once.
CREATE TABLE usage_metric (
  tenant_id        int NOT NULL,
  id               bigint GENERATED ALWAYS AS IDENTITY,
  machine_id       bigint NOT NULL,
  key              uuid NOT NULL,
  kind             smallint NOT NULL CHECK (kind IN (1, 2, 3)),
  name             text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  collected_at     timestamptz NOT NULL,                      -- the end of the window; of receipt where that cannot be
  window_seconds   int,
  received_at      timestamptz NOT NULL DEFAULT now(),
  active_decisions bigint,                                    -- null: not told, like the next three
  processed_items  bigint,
  dropped_items    bigint,
  processed_bytes  bigint,
  skipped          int NOT NULL DEFAULT 0,                    -- items that are none
  items            text NOT NULL,                             -- JSON, no more of them than a list can show
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, machine_id, key)
);
CREATE INDEX usage_metric_by_time ON usage_metric (tenant_id, collected_at DESC, id DESC);
CREATE INDEX usage_metric_by_name ON usage_metric (tenant_id, name, collected_at DESC, id DESC);
CREATE INDEX usage_metric_by_machine ON usage_metric (tenant_id, machine_id, collected_at DESC, id DESC);
-- Drops alone, for their sum.
CREATE INDEX usage_metric_dropped ON usage_metric (tenant_id, collected_at) INCLUDE (dropped_items)
  WHERE kind = 1 AND dropped_items > 0;

SELECT wall_off('usage_component'), wall_off('usage_metric');
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_component TO garrison_service;
GRANT SELECT, INSERT, DELETE ON usage_metric TO garrison_service;
