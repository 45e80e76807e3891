-- Counts of places by scenario, in numbers instead of texts: a map reads a hundred thousand of them, and as texts that takes
-- three times as long.

-- Names that counts mention: scenarios, and codes of countries. Only who folds a tenant's changes adds to them.
CREATE TABLE stat_name (
  tenant_id int NOT NULL,
  id        int NOT NULL CHECK (id > 0),
  name      text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);

-- place: a cell of one degree (stat_cell), or the negative number of a country's name. span as in stat_count: 0 of all time,
-- 1 a day of UTC, 2 six hours.
CREATE TABLE stat_place (
  tenant_id int NOT NULL,
  span      smallint NOT NULL CHECK (span BETWEEN 0 AND 2),
  at        timestamptz NOT NULL,
  place     int NOT NULL,
  scenario  int NOT NULL,
  n         bigint NOT NULL,
  PRIMARY KEY (tenant_id, span, at, place, scenario)
) WITH (fillfactor = 80);

SELECT wall_off('stat_name'), wall_off('stat_place');
GRANT SELECT, INSERT, DELETE ON stat_name TO garrison_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON stat_place TO garrison_service;

-- What was folded before; an older replica, which would go on folding into the old place, fails at the check below, and its
-- changes wait for a newer one.
LOCK TABLE stat_count IN ACCESS EXCLUSIVE MODE;
ALTER TABLE stat_count NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_name NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_place NO FORCE ROW LEVEL SECURITY;
INSERT INTO stat_name (tenant_id, id, name)
SELECT tenant_id, row_number() OVER (PARTITION BY tenant_id ORDER BY name), name
FROM (SELECT tenant_id, sub AS name FROM stat_count WHERE dim IN (6, 7) UNION SELECT tenant_id, key FROM stat_count WHERE dim = 6) n;
INSERT INTO stat_place (tenant_id, span, at, place, scenario, n)
SELECT c.tenant_id, c.span, c.at, CASE c.dim WHEN 7 THEN c.key::int ELSE -p.id END, s.id, c.n
FROM stat_count c JOIN stat_name s ON s.tenant_id = c.tenant_id AND s.name = c.sub
LEFT JOIN stat_name p ON p.tenant_id = c.tenant_id AND p.name = c.key AND c.dim = 6
WHERE c.dim IN (6, 7);
DELETE FROM stat_count WHERE dim IN (6, 7);
ALTER TABLE stat_count DROP CONSTRAINT stat_count_dim_check, ADD CONSTRAINT stat_count_dim_check CHECK (dim BETWEEN 1 AND 5);
ALTER TABLE stat_count FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_name FORCE ROW LEVEL SECURITY;
ALTER TABLE stat_place FORCE ROW LEVEL SECURITY;

-- A batch's changes stay in their page as they are: to pack them costs a push more than it saves.
ALTER TABLE stat_delta SET (toast_tuple_target = 8160);
