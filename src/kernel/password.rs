//! Passwords: how they are hashed and compared.

use std::sync::LazyLock;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params, PasswordHash};

/// What is hashed where there is nothing to compare with, so that an unknown account takes as long as a known one.
static NOBODYS: LazyLock<String> = LazyLock::new(|| hash_password("nobody's").unwrap_or_default());

/// Hashes a password with argon2id at its default cost (19 MiB, two passes): some 50 ms of one core.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn hash_password(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Whether a password is the one that was hashed.
#[must_use]
pub fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// The same where there may be no hash: false then, after as much work.
#[must_use]
pub fn verify_if_known(password: &str, hash: Option<&str>) -> bool {
    let matches = verify_password(password, hash.unwrap_or(&NOBODYS));
    matches && hash.is_some()
}

/// Whether a hash that somebody else brings costs as much as ours to compare with, and no more.
#[must_use]
pub fn is_usual(hash: &str) -> bool {
    let (memory, passes, lanes) = (
        Params::DEFAULT_M_COST,
        Params::DEFAULT_T_COST,
        Params::DEFAULT_P_COST,
    );
    let head = format!("$argon2id$v=19$m={memory},t={passes},p={lanes}$");
    hash.starts_with(&head) && hash.len() <= 200 && PasswordHash::new(hash).is_ok()
}

/// Makes what is hashed for nobody, which would make the first login that needs it slower.
pub fn prepare() {
    LazyLock::force(&NOBODYS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_verify_only_themselves() {
        let hash = hash_password("secret").unwrap();
        assert!(verify_password("secret", &hash));
        assert!(!verify_password("Secret", &hash));
        assert!(!verify_password("secret", "nonsense"));
        assert!(verify_if_known("secret", Some(&hash)));
        assert!(!verify_if_known("secret", None));
        assert!(!verify_if_known("nobody's", None));
        assert!(is_usual(&hash));
        assert!(!is_usual(&hash.replace("m=19456", "m=4194304")) && !is_usual(&hash[..hash.len() / 2]));
    }
}
