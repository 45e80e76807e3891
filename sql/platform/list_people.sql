SELECT id, email, name, last_login_at, disabled_at IS NOT NULL AS disabled, totp IS NOT NULL AS totp, is_platform_admin
FROM person WHERE id = ANY ($1)
