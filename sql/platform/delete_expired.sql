-- What no longer opens anything, a day after its end.
WITH old_logins AS (DELETE FROM upstream_login WHERE at < now() - interval '1 day'),
     old_unbound AS (DELETE FROM unbound_login WHERE seen_at < now() - interval '30 days')
DELETE FROM credential WHERE expires_at < now() - interval '1 day'
