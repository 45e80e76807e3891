//! What a link names, and its proof.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::feed::List;
use crate::kernel::keyring::{Keyring, same_secret};

/// How long a link opens: engines fetch it at once, and a pull that hangs is repeated with new links.
const LIFE: i64 = 3 * 3600;
/// Longest text that may be one: the longest type has 255 bytes.
const MAX_TEXT: usize = 512;
/// Tenant, machine, end, and what it is.
const HEAD: usize = 21;

/// What a link opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A blocklist.
    Block(List),
    /// The allowlist of this number.
    Allow(i64),
}

/// A link for one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub tenant: i32,
    pub machine: i64,
    pub subject: Subject,
}

impl Link {
    /// The text that opens it from now on, for three hours.
    pub fn sign(&self, ring: &Keyring, now: Timestamp) -> String {
        let mut body = Vec::with_capacity(64);
        body.extend(self.tenant.to_be_bytes());
        body.extend(self.machine.to_be_bytes());
        body.extend((now.as_second() + LIFE).to_be_bytes());
        match &self.subject {
            Subject::Block(list) => {
                body.push(if list.ranges { 2 } else { 1 });
                body.extend(list.kind.as_bytes());
            }
            Subject::Allow(id) => {
                body.push(3);
                body.extend(id.to_be_bytes());
            }
        }
        let tag = ring.link_tag(&body);
        body.extend(tag);
        URL_SAFE_NO_PAD.encode(body)
    }

    /// What a text opens now; none for anything that we did not sign, and after its time.
    pub fn read(text: &str, ring: &Keyring, now: Timestamp) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(16)?)?;
        if !same_secret(tag, &ring.link_tag(body)) {
            return None;
        }
        let (head, rest) = body.split_at_checked(HEAD)?;
        let ends = i64::from_be_bytes(head[12..20].try_into().ok()?);
        if now.as_second() >= ends {
            return None;
        }
        let subject = match head[20] {
            which @ (1 | 2) => Subject::Block(List {
                ranges: which == 2,
                kind: std::str::from_utf8(rest).ok()?.to_owned(),
            }),
            3 => Subject::Allow(i64::from_be_bytes(rest.try_into().ok()?)),
            _ => return None,
        };
        Some(Self {
            tenant: i32::from_be_bytes(head[..4].try_into().ok()?),
            machine: i64::from_be_bytes(head[4..12].try_into().ok()?),
            subject,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> [Link; 3] {
        let list = |ranges, kind: &str| {
            Subject::Block(List {
                ranges,
                kind: kind.to_owned(),
            })
        };
        [
            list(false, "ban"),
            list(true, &"x".repeat(255)),
            Subject::Allow(7),
        ]
        .map(|subject| Link {
            tenant: 1,
            machine: 2,
            subject,
        })
    }

    #[test]
    fn a_link_opens_for_three_hours_with_its_key() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        let other = Keyring::new(b"0123456789abcdef0123456789abcdeX");
        let at = |second| Timestamp::from_second(1_000_000_000 + second).unwrap();
        for link in links() {
            let text = link.sign(&ring, at(0));
            assert_eq!(Link::read(&text, &ring, at(LIFE - 1)), Some(link));
            assert_eq!(Link::read(&text, &ring, at(LIFE)), None);
            assert_eq!(Link::read(&text, &other, at(0)), None);
        }
    }

    #[test]
    fn no_changed_byte_opens_anything() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        let now = Timestamp::UNIX_EPOCH;
        let text = links()[0].sign(&ring, now);
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert_eq!(Link::read(&URL_SAFE_NO_PAD.encode(forged), &ring, now), None);
            assert_eq!(
                Link::read(&URL_SAFE_NO_PAD.encode(&bytes[..at]), &ring, now),
                None
            );
        }
        for odd in ["", "x", "a.b", &"A".repeat(513)] {
            assert_eq!(Link::read(odd, &ring, now), None, "{odd}");
        }
        // a page cursor's key is another one
        let cursor = [
            &bytes[..bytes.len() - 16],
            &ring.cursor_tag(&[&bytes[..bytes.len() - 16]]),
        ]
        .concat();
        assert_eq!(Link::read(&URL_SAFE_NO_PAD.encode(cursor), &ring, now), None);
    }
}
