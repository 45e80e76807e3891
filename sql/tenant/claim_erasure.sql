-- Takes an erasure, for 40 seconds at a time, unless somebody else has it. An import that lost its lease is one from now on.
UPDATE tenant_erasure SET owner = $2, lease_until = now() + interval '40 seconds', importing = false
WHERE tenant_id = $1 AND done_at IS NULL AND lease_until <= now() RETURNING actor
