//! Sealing: AES-256-GCM with a random nonce, and the place of the value as associated data, so that a ciphertext that
//! was moved elsewhere does not open.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rand::RngExt as _;

/// Why a sealed value did not open.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Another key, another place, or damaged bytes: AEAD cannot tell which.
    #[error("a sealed value does not open with this installation's secret key")]
    Refused,
}

/// A key that seals.
pub struct Seal(LessSafeKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(..)")
    }
}

impl Seal {
    /// With a key that was derived for this.
    ///
    /// # Panics
    /// Never: the key has exactly the length the cipher wants.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // 32 bytes are what AES-256 takes, so this cannot fail.
        #[allow(clippy::expect_used)]
        Self(LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"),
        ))
    }

    /// With a key from what a person can remember: argon2id over 64 MiB, three passes.
    ///
    /// # Errors
    /// When there is no memory for it, or the salt is shorter than 8 bytes.
    pub fn from_passphrase(text: &str, salt: &[u8]) -> Result<Self, argon2::Error> {
        let params = Params::new(64 * 1024, 3, 1, Some(32))?;
        let mut key = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
            text.as_bytes(),
            salt,
            &mut key,
        )?;
        Ok(Self::new(&key))
    }

    /// Seals a value for one place.
    ///
    /// # Panics
    /// Never: the cipher only refuses plaintexts of 64 GiB and more.
    #[must_use]
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0u8; NONCE_LEN];
        rand::rng().fill(&mut nonce[..]);
        let mut body = plain.to_vec();
        // Only a plaintext of 64 GiB and more is refused; ours are passwords and tokens.
        #[allow(clippy::expect_used)]
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut body,
            )
            .expect("plaintext below 64 GiB");
        let mut sealed = nonce.to_vec();
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError::Refused`] for another key, another place or altered bytes.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Refused)?;
        let mut body = body.to_vec();
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut body)
            .map_err(|_| SealError::Refused)?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_opens_what_it_sealed_and_no_other_does() {
        let seal = Seal::from_passphrase("correct horse", b"0123456789abcdef").unwrap();
        let sealed = seal.seal("machine/a", b"secret");
        let again = Seal::from_passphrase("correct horse", b"0123456789abcdef").unwrap();
        assert_eq!(again.open("machine/a", &sealed).unwrap(), b"secret");
        assert!(again.open("machine/b", &sealed).is_err());
        for (text, salt) in [
            ("correct hors", b"0123456789abcdef"),
            ("correct horse", b"0123456789abcdeX"),
        ] {
            let other = Seal::from_passphrase(text, salt).unwrap();
            assert!(other.open("machine/a", &sealed).is_err(), "{text}");
        }
        assert!(Seal::from_passphrase("x", b"short").is_err());
    }
}
