//! The keys of one installation, all derived from a single secret of 32 bytes or more.
//!
//! Values are sealed for their place (table, column, owner). Hashing of tokens is HMAC-SHA-256: a dump of the database
//! alone cannot be searched for them.

use aws_lc_rs::{constant_time, hmac};

use super::seal::Seal;
pub use super::seal::SealError;

/// The keys of one installation.
pub struct Keyring {
    seal: Seal,
    token: hmac::Key,
    cursor: hmac::Key,
    link: hmac::Key,
    audit: hmac::Key,
    session: [u8; 32],
    login: hmac::Key,
    csrf: hmac::Key,
    throttle: hmac::Key,
    fingerprint: [u8; 32],
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(..)")
    }
}

impl Keyring {
    /// Derives every key from one secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            seal: Seal::new(&derive(&root, "seal")),
            token: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "token")),
            cursor: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "cursor")),
            link: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "link")),
            audit: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "audit")),
            session: derive(&root, "machine session"),
            login: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "session of a login")),
            csrf: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "csrf")),
            throttle: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "login throttle")),
            fingerprint: derive(&root, "fingerprint"),
        }
    }

    /// What a database remembers of the key, to refuse a replica that holds another one.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The key that signs the session tokens we give to machines.
    #[must_use]
    pub const fn session_key(&self) -> &[u8; 32] {
        &self.session
    }

    /// The key that signs sessions of logins, by its salt.
    #[must_use]
    pub fn login_key(&self, salt: &[u8]) -> Vec<u8> {
        hmac::sign(&self.login, salt).as_ref().to_vec()
    }

    /// Sixteen bytes that belong to one session: what a page of ours shows, and no other page knows.
    #[must_use]
    pub fn csrf_tag(&self, session: &[u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        tag.copy_from_slice(&hmac::sign(&self.csrf, session).as_ref()[..16]);
        tag
    }

    /// Under what the logins of an account, a network, or both are counted: the table tells nobody's address.
    #[must_use]
    pub fn throttle_key(&self, what: &str) -> Vec<u8> {
        hmac::sign(&self.throttle, what.as_bytes()).as_ref().to_vec()
    }

    /// The form in which a token, an enrolment key or a CAPI token is stored.
    #[must_use]
    pub fn token_hash(&self, token: &str) -> Vec<u8> {
        hmac::sign(&self.token, token.as_bytes()).as_ref().to_vec()
    }

    /// Sixteen bytes that prove a page cursor to be ours.
    #[must_use]
    pub fn cursor_tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.cursor);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; 16];
        tag.copy_from_slice(&context.sign().as_ref()[..16]);
        tag
    }

    /// What seals an entry of the audit trail: nobody makes one who has the database alone.
    #[must_use]
    pub fn audit_tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.audit);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    /// Sixteen bytes that prove a link to be ours.
    #[must_use]
    pub fn link_tag(&self, body: &[u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        tag.copy_from_slice(&hmac::sign(&self.link, body).as_ref()[..16]);
        tag
    }

    /// Seals a value for one place.
    #[must_use]
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        self.seal.seal(place, plain)
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError::Refused`] for another key, another place or altered bytes.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal.open(place, sealed)
    }
}

/// Compares two secrets in a time that does not depend on where they differ.
#[must_use]
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

fn derive(root: &hmac::Key, purpose: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(root, format!("garrison/1/{purpose}").as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_in_its_place_with_its_key() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        let other = Keyring::new(b"0123456789abcdef0123456789abcdeX");
        let sealed = ring.seal("machine.upstream_password/1/m", b"pass");
        assert_eq!(
            ring.open("machine.upstream_password/1/m", &sealed).unwrap(),
            b"pass"
        );
        assert!(ring.open("machine.upstream_password/2/m", &sealed).is_err());
        assert!(other.open("machine.upstream_password/1/m", &sealed).is_err());
        for cut in 0..sealed.len() {
            assert!(
                ring.open("machine.upstream_password/1/m", &sealed[..cut])
                    .is_err()
            );
        }
    }

    #[test]
    fn cursor_tags_do_not_run_parts_together() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        assert_ne!(ring.cursor_tag(&[b"ab", b"c"]), ring.cursor_tag(&[b"a", b"bc"]));
        assert_ne!(ring.token_hash("a"), ring.token_hash("b"));
    }
}
