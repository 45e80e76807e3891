UPDATE person SET totp_pending = $2 WHERE id = $1
