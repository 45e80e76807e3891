UPDATE person SET is_platform_admin = $2, admin_by_groups = false WHERE id = $1
