UPDATE person SET is_platform_admin = $2 WHERE id = $1
