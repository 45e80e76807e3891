-- Where the log stands and where it begins; and which log it is: another cluster has other transaction numbers, and a
-- standby that took over may give numbers anew that its primary had given already (the timeline, eight digits, tells).
SELECT f.xid::text AS floor, pg_snapshot_xmin(pg_current_snapshot())::text AS horizon,
       left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline,
       (SELECT value FROM platform_fact WHERE name = 'cluster') AS cluster
FROM event_floor f WHERE f.id = 1
