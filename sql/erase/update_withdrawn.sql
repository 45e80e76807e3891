-- Nothing of the tenant's is to stand on its LAPI servers any more: they are compared with that, at once.
WITH s AS (UPDATE lapi_server SET replicate_decisions = false, version = version + 1 WHERE tenant_id = $1 AND replicate_decisions),
  d AS (DELETE FROM decision WHERE tenant_id = $1 AND source = 3),
  y AS (UPDATE lapi_sync SET write_open = true WHERE tenant_id = $1)
UPDATE lane SET due_at = clock_timestamp(), next_try_at = '-infinity' WHERE tenant_id = $1 AND topic = 2
