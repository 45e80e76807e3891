-- What is to be erased and nobody erases: once no credential is believed any more, and a push that was under way is over.
SELECT tenant_id FROM tenant_erasure WHERE done_at IS NULL AND lease_until <= now() AND asked_at <= now() - interval '8 seconds'
ORDER BY asked_at
