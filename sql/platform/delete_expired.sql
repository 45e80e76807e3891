-- What no longer opens anything, a day after its end; and what was told of addresses, at its end.
WITH old_logins AS (DELETE FROM upstream_login WHERE at < now() - interval '1 day'),
     old_unbound AS (DELETE FROM unbound_login WHERE seen_at < now() - interval '30 days'),
     old_info AS (DELETE FROM ip_info WHERE expires_at < now() AND claimed_until < now()),
     old_sessions AS (DELETE FROM session WHERE expires_at < now() - interval '1 day' OR revoked_at < now() - interval '1 day'),
     old_failures AS (DELETE FROM login_throttle WHERE at < now() - interval '1 day' AND coalesce(good_at, '-infinity') < now() - interval '30 days'),
     old_uses AS (DELETE FROM single_use WHERE expires_at < now())
DELETE FROM credential WHERE expires_at < now() - interval '1 day'
