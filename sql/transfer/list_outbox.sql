-- Alerts whose decisions the tenant's set has not taken up yet. What waits for CAPI or for LAPI servers stays behind.
SELECT row_to_json(r)::text AS row
FROM (SELECT keys FROM outbox WHERE tenant_id = $1 AND topic = 4 ORDER BY xid, seq) r
