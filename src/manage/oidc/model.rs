//! A login on its way to the provider and back.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::kernel::keyring::{Keyring, same_secret};
use crate::kernel::secret::random_text;

/// The cookie that a login on its way is kept in: sealed, so that any replica can finish what another began.
pub const COOKIE: &str = "csm_login";
/// How long it may take, in seconds.
pub const LENGTH: i64 = 600;
/// What it is sealed for.
const PLACE: &str = "cookie.login";
/// Longest cookie that is looked at.
const LONGEST: usize = 1024;

/// A login that was begun in a browser.
#[derive(Serialize, Deserialize)]
pub struct Pending {
    /// Comes back with the code.
    pub state: String,
    /// Stands in the token.
    pub nonce: String,
    /// Proves to the provider that who began it finishes it.
    pub verifier: String,
    until: i64,
}

impl Pending {
    /// A new one.
    #[must_use]
    pub fn new(now: i64) -> Self {
        Self {
            state: random_text(32),
            nonce: random_text(32),
            verifier: random_text(64),
            until: now + LENGTH,
        }
    }

    /// What the provider is shown first of the verifier (RFC 7636, S256).
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()))
    }

    /// As the browser keeps it.
    #[must_use]
    pub fn sealed(&self, ring: &Keyring) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(ring.seal(PLACE, &text))
    }

    /// What a browser kept, where it is the login that this state belongs to and not too old.
    #[must_use]
    pub fn open(ring: &Keyring, kept: &str, state: &str, now: i64) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD
            .decode(kept)
            .ok()
            .filter(|_| kept.len() <= LONGEST)?;
        let text = ring.open(PLACE, &sealed).ok()?;
        let pending: Self = serde_json::from_slice(&text).ok()?;
        let same = same_secret(pending.state.as_bytes(), state.as_bytes());
        (same && now < pending.until).then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_finished_where_it_was_begun_and_soon() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        let other = Keyring::new(b"0123456789abcdef0123456789abcdeX");
        let pending = Pending::new(1000);
        let kept = pending.sealed(&ring);
        assert!(kept.len() < LONGEST && !kept.contains(&pending.verifier));
        let open = |ring, kept: &str, state: &str, now| Pending::open(ring, kept, state, now).is_some();
        assert!(open(&ring, &kept, &pending.state, 1599));
        assert!(!open(&ring, &kept, &pending.state, 1600));
        assert!(!open(&other, &kept, &pending.state, 1001));
        for state in ["", "x", &Pending::new(1000).state] {
            assert!(!open(&ring, &kept, state, 1001));
        }
        for kept in ["", "x", &kept[1..], &"A".repeat(5000)] {
            assert!(!open(&ring, kept, &pending.state, 1001));
        }
    }

    #[test]
    fn the_challenge_is_the_verifiers_digest() {
        // RFC 7636, appendix B
        let pending = Pending {
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
            ..Pending::new(0)
        };
        assert_eq!(pending.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
