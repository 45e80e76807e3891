INSERT INTO ip_info (address, reverse_dns, whois, source, error, fetched_at, expires_at)
VALUES ($1, $2, $3, $4, $5, now(), now() + make_interval(secs => $6))
ON CONFLICT (address) DO UPDATE SET reverse_dns = excluded.reverse_dns, whois = excluded.whois, source = excluded.source,
  error = excluded.error, fetched_at = excluded.fetched_at, expires_at = excluded.expires_at, claimed_until = '-infinity'
RETURNING fetched_at
