SELECT id, login, password, token, token_expires_at, user_agent FROM unbound_login WHERE id = $1
