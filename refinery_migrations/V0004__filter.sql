-- A tenant's filter rules. The set's version goes up with every change; replicas compile a set once a version.
CREATE TABLE filter_set (
  tenant_id  int PRIMARY KEY REFERENCES tenant (id),
  mode       smallint NOT NULL DEFAULT 1 CHECK (mode IN (1, 2)),  -- 1 block, 2 allow
  version    bigint NOT NULL DEFAULT 1,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE filter_rule (
  tenant_id   int NOT NULL REFERENCES filter_set (tenant_id),
  id          bigint GENERATED ALWAYS AS IDENTITY,
  name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  enabled     boolean NOT NULL DEFAULT true,
  description text CHECK (length(description) <= 2000),
  expression  jsonb NOT NULL CHECK (pg_column_size(expression) <= 65536),
  version     bigint NOT NULL,   -- the set's version that last changed it
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);

SELECT wall_off('filter_set'), wall_off('filter_rule');
GRANT SELECT, INSERT, UPDATE ON filter_set TO garrison_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON filter_rule TO garrison_service;
