-- The log that live streams read: what became true, written in the transaction that made it so, a row for each statement
-- and not for each alert. A day of it is kept.
CREATE TABLE event (
  tenant_id int NOT NULL,
  xid       xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq       bigint GENERATED ALWAYS AS IDENTITY,
  at        timestamptz NOT NULL DEFAULT now(),
  kind      smallint NOT NULL, -- keys of alerts: 1 stored, 2 taken by CAPI, 3 refused there; keys of decisions: 4 put on a
                               -- LAPI server, 5 refused there; rows of the set: 11 added, 12 changed, 13 lifted,
                               -- 14 withdrawn by who said it, 15 ended
  keys      uuid[],
  detail    jsonb,             -- 3: error; 4 and 5: server, error; 11 to 15: the rows of the set
  PRIMARY KEY (tenant_id, xid, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
ALTER TABLE event ALTER COLUMN keys SET STORAGE EXTERNAL; -- hashes do not compress
CREATE INDEX event_by_age ON event (at);

-- Up to which transaction rows were deleted; one row. Who stands at it or before has missed something.
CREATE TABLE event_floor (
  id  int PRIMARY KEY CHECK (id = 1),
  xid xid8 NOT NULL DEFAULT '0'
);
INSERT INTO event_floor VALUES (1);

SELECT wall_off('event');
GRANT SELECT, INSERT ON event TO garrison_service;
GRANT SELECT (tenant_id, xid, seq, at, ctid), DELETE ON event TO garrison_platform;
GRANT SELECT, UPDATE ON event_floor TO garrison_platform;
