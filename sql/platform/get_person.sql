SELECT id, email, password_hash, totp, totp_pending, totp_step, is_platform_admin FROM person WHERE id = $1 AND disabled_at IS NULL
