-- What groups say of the platform's admin. Who was made one by hand stays one.
UPDATE person SET is_platform_admin = $2, admin_by_groups = $2 WHERE id = $1 AND (admin_by_groups OR NOT is_platform_admin)
