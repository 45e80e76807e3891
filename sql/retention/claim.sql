-- Takes a tenant's sweep, for half a minute at a time, unless somebody else has it; where it was left off is in the row.
INSERT INTO sweep AS s (tenant_id, owner, lease_until) VALUES ($1, $2, now() + interval '30 seconds')
ON CONFLICT (tenant_id) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until WHERE s.lease_until <= now()
RETURNING bodies_upto, zeros_at IS NULL OR zeros_at < now() - interval '1 day' AS zeros_due
