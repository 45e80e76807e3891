-- The stream's answer is taken over. $3: it was a whole one; $4: our session there lives; $5: what is there has to be
-- compared. The caller holds the lane: who asked for a whole reading since this turn began made the lane due, and is not
-- overruled.
UPDATE lapi_sync SET read_open = EXISTS (
    SELECT FROM lane n WHERE n.tenant_id = $1 AND n.topic = 3 AND n.subject_id = $2 AND n.due_at > n.claimed_at AND n.due_at <= clock_timestamp()),
  read_at = now(), full_at = CASE WHEN $3::boolean THEN now() ELSE full_at END,
  session_at = CASE WHEN $4::boolean THEN now() ELSE session_at END, write_open = write_open OR $5::boolean
WHERE tenant_id = $1 AND server_id = $2
