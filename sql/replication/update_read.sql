-- The stream's answer is taken over. $3: it was a whole one; $4: our session there lives; $5: what is there has to be
-- compared.
UPDATE lapi_sync SET read_open = false, read_at = now(), full_at = CASE WHEN $3::boolean THEN now() ELSE full_at END,
  session_at = CASE WHEN $4::boolean THEN now() ELSE session_at END, write_open = write_open OR $5::boolean
WHERE tenant_id = $1 AND server_id = $2
