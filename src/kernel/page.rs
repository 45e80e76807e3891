//! Keyset pages: an opaque, authenticated position in a list that is ordered by time and id, newest first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::keyring::{Keyring, same_secret};

/// The last row of a page: the next page holds what is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Time of the row, microseconds since 1970.
    pub at: i64,
    /// Id of the row, which orders rows of the same microsecond.
    pub id: i64,
}

/// The cursor was not made by us, for this tenant and these conditions.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor does not belong to this list")]
pub struct BadCursor;

impl Position {
    /// Writes the position as text that only [`Self::decode`] with the same owner and conditions reads.
    #[must_use]
    pub fn encode(self, ring: &Keyring, owner: i32, conditions: &[u8]) -> String {
        let body = self.bytes();
        let tag = ring.cursor_tag(&[&owner.to_be_bytes(), conditions, &body]);
        URL_SAFE_NO_PAD.encode([body.as_slice(), tag.as_slice()].concat())
    }

    /// Reads a position.
    ///
    /// # Errors
    /// [`BadCursor`] for anything that was not made for this owner and these conditions.
    pub fn decode(text: &str, ring: &Keyring, owner: i32, conditions: &[u8]) -> Result<Self, BadCursor> {
        if text.len() > 64 {
            return Err(BadCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let (body, tag) = bytes.split_at_checked(16).ok_or(BadCursor)?;
        if !same_secret(tag, &ring.cursor_tag(&[&owner.to_be_bytes(), conditions, body])) {
            return Err(BadCursor);
        }
        let number = |from: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&body[from..from + 8]);
            i64::from_be_bytes(eight)
        };
        Ok(Self {
            at: number(0),
            id: number(8),
        })
    }

    fn bytes(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.at.to_be_bytes());
        out[8..].copy_from_slice(&self.id.to_be_bytes());
        out
    }
}

/// A `Link` header (RFC 8288) to the same question from another place on; `cursor` takes the place of where it began.
#[must_use]
pub fn next_link(path: &str, query: Option<&str>, cursor: &str) -> String {
    let kept = query.unwrap_or_default().split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !name.is_empty() && name != "cursor" && name != "offset"
    });
    let mut pairs: Vec<_> = kept.map(str::to_owned).collect();
    pairs.push(format!("cursor={cursor}"));
    format!("<{path}?{}>; rel=\"next\"", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_only_where_it_was_made() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        let here = Position {
            at: 1_700_000_000_000_000,
            id: 42,
        };
        let text = here.encode(&ring, 7, b"ip=1");
        assert_eq!(Position::decode(&text, &ring, 7, b"ip=1"), Ok(here));
        assert_eq!(Position::decode(&text, &ring, 8, b"ip=1"), Err(BadCursor));
        assert_eq!(Position::decode(&text, &ring, 7, b"ip=2"), Err(BadCursor));
        for bad in ["", "AA", "%%%", &text[1..], &"A".repeat(500)] {
            assert_eq!(Position::decode(bad, &ring, 7, b"ip=1"), Err(BadCursor), "{bad}");
        }
    }

    #[test]
    fn the_link_keeps_the_question() {
        assert_eq!(
            next_link("/api/alerts", None, "C"),
            "</api/alerts?cursor=C>; rel=\"next\""
        );
        let link = next_link(
            "/api/alerts",
            Some("limit=2&offset=4&ip=10.0.0.0%2F8&cursor=B"),
            "C",
        );
        assert_eq!(
            link,
            "</api/alerts?limit=2&ip=10.0.0.0%2F8&cursor=C>; rel=\"next\""
        );
    }
}
