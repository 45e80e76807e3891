-- Before their alerts: the counts are taken where the alert says.
DELETE FROM alert_decision WHERE tenant_id = $1 AND alert_key = ANY ($2::uuid[])
