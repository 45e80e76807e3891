INSERT INTO unbound_login (login, password, token, token_expires_at, user_agent) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (login) DO UPDATE SET password = excluded.password, token = excluded.token,
  token_expires_at = excluded.token_expires_at, user_agent = excluded.user_agent, seen_at = now()
RETURNING id
