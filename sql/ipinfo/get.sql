SELECT reverse_dns, whois, source, error, fetched_at, extract(epoch FROM expires_at - now())::float8 AS seconds_left
FROM ip_info WHERE address = $1 AND expires_at > now()
