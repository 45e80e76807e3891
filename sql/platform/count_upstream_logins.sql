SELECT count(*) AS logins FROM upstream_login WHERE at > clock_timestamp() - interval '50 minutes'
