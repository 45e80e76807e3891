//! What goes into one request, and what an answer means.

use http::StatusCode;
use uuid::Uuid;

/// Most signals of one request: what engines themselves send.
pub const PORTION: usize = 50;

/// One signal that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The alert's key.
    pub key: Uuid,
    /// By which of CAPI's versions it came, and leaves.
    pub version: u8,
    /// The signal's own bytes.
    pub raw: Vec<u8>,
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Transaction and number: where the lane stands once this row is settled.
    pub at: (String, i64),
    /// Its signals that still wait: at most [`PORTION`], all of one version.
    pub signals: Vec<Waiting>,
}

/// How many of the first rows fit into one request: one version, at most [`PORTION`] signals.
#[must_use]
pub fn portion(entries: &[Entry]) -> usize {
    let mut total = 0;
    let mut version = None;
    let mut taken = 0;
    for entry in entries {
        total += entry.signals.len();
        let own = entry.signals.first().map(|s| s.version);
        if total > PORTION || (version.is_some() && own.is_some() && version != own) {
            break;
        }
        version = version.or(own);
        taken += 1;
    }
    taken
}

/// The request's body: a JSON array of the signals' own bytes.
#[must_use]
pub fn body(signals: &[Waiting]) -> Vec<u8> {
    let mut out = Vec::with_capacity(signals.iter().map(|s| s.raw.len() + 1).sum::<usize>() + 2);
    out.push(b'[');
    for (n, signal) in signals.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&signal.raw);
    }
    out.push(b']');
    out
}

/// What CAPI's status says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It has them.
    Delivered,
    /// The token is stale.
    Stale,
    /// Something in it is unacceptable, and will be for ever.
    Poison,
    /// It cannot right now.
    Later,
}

/// Reads a status. Only what speaks of the content itself condemns it; a status that a proxy or a mistake in
/// configuration may cause never does.
#[must_use]
pub const fn meaning(status: StatusCode) -> Meaning {
    match status.as_u16() {
        200..=299 => Meaning::Delivered,
        401 | 403 => Meaning::Stale,
        400 | 413 | 422 => Meaning::Poison,
        _ => Meaning::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: u8, n: usize) -> Entry {
        let one = Waiting {
            key: Uuid::nil(),
            version,
            raw: b"{}".to_vec(),
        };
        Entry {
            at: ("1".to_owned(), 1),
            signals: vec![one; n],
        }
    }

    #[test]
    fn portions() {
        for (entries, expected) in [
            (vec![], 0),
            (vec![entry(3, 50)], 1),
            (vec![entry(3, 30), entry(3, 20), entry(3, 1)], 2),
            (vec![entry(3, 30), entry(3, 21)], 1),
            (vec![entry(2, 1), entry(3, 1)], 1),
            (vec![entry(2, 1), entry(2, 0), entry(2, 1), entry(3, 1)], 3),
            (vec![entry(3, 0), entry(3, 0)], 2),
        ] {
            assert_eq!(portion(&entries), expected);
        }
    }

    #[test]
    fn bodies_keep_bytes() {
        let s = |t: &str| Waiting {
            key: Uuid::nil(),
            version: 3,
            raw: t.as_bytes().to_vec(),
        };
        assert_eq!(body(&[s("{\"a\":1.50}"), s("{ }")]), br#"[{"a":1.50},{ }]"#);
    }

    #[test]
    fn meanings() {
        for (status, expected) in [
            (200, Meaning::Delivered),
            (204, Meaning::Delivered),
            (401, Meaning::Stale),
            (403, Meaning::Stale),
            (400, Meaning::Poison),
            (413, Meaning::Poison),
            (422, Meaning::Poison),
            (404, Meaning::Later),
            (302, Meaning::Later),
            (408, Meaning::Later),
            (429, Meaning::Later),
            (500, Meaning::Later),
            (503, Meaning::Later),
        ] {
            assert_eq!(
                meaning(StatusCode::from_u16(status).unwrap()),
                expected,
                "{status}"
            );
        }
    }
}
