-- A ban by hand; a second one of the same thing is one more place, or a later end.
INSERT INTO decision AS d (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, servers, reason, actor)
VALUES ($1, $2, 3, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (tenant_id, key, source, source_id, origin) DO UPDATE
SET until = excluded.until, scenario = excluded.scenario, reason = excluded.reason, actor = excluded.actor, since = now(),
    servers = CASE WHEN d.servers IS NULL OR excluded.servers IS NULL THEN NULL
                   ELSE ARRAY(SELECT unnest(d.servers) UNION SELECT unnest(excluded.servers)) END
