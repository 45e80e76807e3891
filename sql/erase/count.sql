-- What there is, roughly: the tables that a person would name.
SELECT (SELECT count(*) FROM alert WHERE tenant_id = $1) AS alert, (SELECT count(*) FROM alert_decision WHERE tenant_id = $1) AS alert_decision,
  (SELECT count(*) FROM signal_batch WHERE tenant_id = $1) AS signal_batch, (SELECT count(*) FROM rejected_signal WHERE tenant_id = $1) AS rejected_signal,
  (SELECT count(*) FROM decision WHERE tenant_id = $1) AS decision, (SELECT count(*) FROM lapi_copy WHERE tenant_id = $1) AS lapi_copy,
  (SELECT count(*) FROM machine WHERE tenant_id = $1) AS machine, (SELECT count(*) FROM api_token WHERE tenant_id = $1) AS api_token
