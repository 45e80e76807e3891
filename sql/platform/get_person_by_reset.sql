SELECT id, email FROM person WHERE reset_hash = $1 AND reset_until > now() AND disabled_at IS NULL
