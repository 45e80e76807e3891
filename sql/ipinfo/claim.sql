-- The right to ask, for 15 s; nobody gets it while somebody has it, or the answer is fresh.
INSERT INTO ip_info (address, claimed_until) VALUES ($1, now() + interval '15 seconds')
ON CONFLICT (address) DO UPDATE SET claimed_until = excluded.claimed_until
WHERE ip_info.claimed_until < now() AND ip_info.expires_at < now()
