DELETE FROM unbound_login WHERE login = $1
