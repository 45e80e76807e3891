SELECT id, email, name, password_hash, totp, totp_step, is_platform_admin, disabled_at IS NOT NULL AS disabled
FROM person WHERE email = $1
