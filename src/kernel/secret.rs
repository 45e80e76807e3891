//! Secrets that people and programs carry: their form, their checksum, how they are made.
//!
//! A secret is `<prefix><random><crc>`: a fixed prefix per kind (so that scanners can recognise it), random
//! characters of the base 62 alphabet, and six characters of CRC-32 over what stands before them, so that a
//! mistyped or invented one costs no look-up.

use rand::RngExt as _;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: usize = 6;

/// What a secret opens. The prefix is part of the secret's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A program's token for the management API.
    ApiToken,
    /// A tenant's key for `cscli console enroll`. Letters and digits only: CAPI's own schema allows no more.
    EnrolmentKey,
    /// A firewall's token for one feed.
    FeedToken,
    /// What an invited person shows, once.
    Invitation,
    /// What a person shows who has to set a new password, once.
    PasswordReset,
}

impl Kind {
    /// The fixed beginning of every secret of this kind.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiToken => "grn_",
            Self::EnrolmentKey => "garrisonkey",
            Self::FeedToken => "grf_",
            Self::Invitation => "gri_",
            Self::PasswordReset => "grp_",
        }
    }

    /// How many random characters it holds: 33 of base 62 are 196 bits.
    const fn random_len(self) -> usize {
        match self {
            Self::ApiToken | Self::FeedToken | Self::Invitation | Self::PasswordReset => 33,
            Self::EnrolmentKey => 24,
        }
    }
}

/// Makes a new secret of a kind from the operating system's randomness.
#[must_use]
pub fn generate(kind: Kind) -> String {
    let mut text = String::from(kind.prefix());
    text.push_str(&random_text(kind.random_len()));
    let crc = checksum(&text);
    text.push_str(&crc);
    text
}

/// Random characters of `[0-9A-Za-z]`, as CAPI wants machine logins and passwords.
#[must_use]
pub fn random_text(len: usize) -> String {
    let mut rng = rand::rng();
    (0..len)
        .map(|_| char::from(BASE62[rng.random_range(0..62)]))
        .collect()
}

/// Whether a text has the form of a secret of this kind, checksum included.
#[must_use]
pub fn is_well_formed(kind: Kind, text: &str) -> bool {
    let length = kind.prefix().len() + kind.random_len() + CHECKSUM;
    if text.len() != length || !text.starts_with(kind.prefix()) || !text.is_ascii() {
        return false;
    }
    let (body, crc) = text.split_at(length - CHECKSUM);
    checksum(body) == crc
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes()) as usize;
    let mut out = [b'0'; CHECKSUM];
    for slot in out.iter_mut().rev() {
        *slot = BASE62[rest % 62];
        rest /= 62;
    }
    out.iter().map(|&b| char::from(b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_well_formed_and_nothing_else_is() {
        for kind in [
            Kind::ApiToken,
            Kind::EnrolmentKey,
            Kind::FeedToken,
            Kind::Invitation,
            Kind::PasswordReset,
        ] {
            let secret = generate(kind);
            assert!(is_well_formed(kind, &secret), "{secret}");
            let mut altered = secret.clone();
            let last = if altered.ends_with('a') { 'b' } else { 'a' };
            altered.pop();
            altered.push(last);
            for bad in [
                altered.as_str(),
                &secret[1..],
                "",
                "grn_",
                &"x".repeat(1000),
                "grn_é",
            ] {
                assert!(!is_well_formed(kind, bad), "{bad}");
            }
        }
        let key = generate(Kind::EnrolmentKey);
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
