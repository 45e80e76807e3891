//! What goes into one request, and what an answer means.

use std::time::Duration;

use http::StatusCode;
use uuid::Uuid;

/// Most signals of one request: what engines themselves send.
pub const PORTION: usize = 50;
/// Most bytes of one request, unless a single signal is larger.
pub const PORTION_BYTES: usize = 2 << 20;

/// One signal that waits, and where its bytes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The alert's key.
    pub key: Uuid,
    /// By which of CAPI's versions it came, and leaves.
    pub version: u8,
    /// The batch whose body holds it.
    pub batch: Uuid,
    /// Bytes before it in that body.
    pub offset: usize,
    /// Its bytes.
    pub length: usize,
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Transaction and number: where the lane stands once this row is settled.
    pub at: (String, i64),
    /// Its signals that still wait: at most [`PORTION`], all of one version.
    pub signals: Vec<Waiting>,
}

/// How many of the first rows are settled together: one version, at most [`PORTION`] signals and [`PORTION_BYTES`], but
/// at least one row.
#[must_use]
pub fn portion(entries: &[Entry]) -> usize {
    let (mut total, mut bytes) = (0, 0);
    let mut version = None;
    let mut taken = 0;
    for entry in entries {
        total += entry.signals.len();
        bytes += entry.signals.iter().map(|s| s.length).sum::<usize>();
        let own = entry.signals.first().map(|s| s.version);
        let other = version.is_some() && own.is_some() && version != own;
        if taken > 0 && (total > PORTION || bytes > PORTION_BYTES || other) {
            break;
        }
        version = version.or(own);
        taken += 1;
    }
    taken
}

/// How many of the first signals go into one request: at most [`PORTION_BYTES`], but at least one.
#[must_use]
pub fn request(signals: &[Waiting]) -> usize {
    let mut bytes = 0;
    let fits = signals.iter().take_while(|s| {
        bytes += s.length;
        bytes <= PORTION_BYTES
    });
    fits.count().max(1).min(signals.len())
}

/// A signal with its own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Which alert it is.
    pub key: Uuid,
    /// The engine's JSON.
    pub raw: Vec<u8>,
}

/// The request's body: a JSON array of the signals' own bytes.
#[must_use]
pub fn body(signals: &[Loaded]) -> Vec<u8> {
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

/// Tries after which a signal that CAPI refuses while it takes nothing else of its lane is given up: half a minute of
/// growing pauses. Something between us and CAPI that refuses everything must not condemn a whole backlog.
const TRIES: i32 = 8;

/// Whether a refusal of single signals is believed: when CAPI took others of the same turn, or has refused for long.
#[must_use]
pub const fn is_believed(delivered: bool, failures: i32) -> bool {
    delivered || failures >= TRIES
}

/// The pause after a refused login: five seconds; where CAPI counts logins, doubled with every failure up to half an
/// hour, so that one machine with a wrong password does not spend what all share.
#[must_use]
pub fn after_refusal(failures: i32, counted: bool) -> Duration {
    let doublings = if counted {
        u32::try_from(failures.clamp(0, 10)).unwrap_or(0)
    } else {
        0
    };
    Duration::from_secs(5 << doublings).min(Duration::from_mins(30))
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

    fn waiting(version: u8, length: usize) -> Waiting {
        Waiting {
            key: Uuid::nil(),
            version,
            batch: Uuid::nil(),
            offset: 0,
            length,
        }
    }

    fn entry(version: u8, n: usize) -> Entry {
        Entry {
            at: ("1".to_owned(), 1),
            signals: vec![waiting(version, 2); n],
        }
    }

    #[test]
    fn portions() {
        let large = Entry {
            at: ("1".to_owned(), 1),
            signals: vec![waiting(3, PORTION_BYTES); 2],
        };
        for (entries, expected) in [
            (vec![], 0),
            (vec![entry(3, 50)], 1),
            (vec![entry(3, 30), entry(3, 20), entry(3, 1)], 2),
            (vec![entry(3, 30), entry(3, 21)], 1),
            (vec![entry(2, 1), entry(3, 1)], 1),
            (vec![entry(2, 1), entry(2, 0), entry(2, 1), entry(3, 1)], 3),
            (vec![entry(3, 0), entry(3, 0)], 2),
            (vec![large.clone(), entry(3, 1)], 1),
            (vec![entry(3, 1), large], 1),
        ] {
            assert_eq!(portion(&entries), expected);
        }
    }

    #[test]
    fn requests_are_bounded_in_bytes() {
        let third = PORTION_BYTES / 3;
        for (lengths, expected) in [
            (vec![], 0),
            (vec![PORTION_BYTES * 2], 1),
            (vec![1, PORTION_BYTES], 1),
            (vec![third, third, third, third], 3),
        ] {
            let signals: Vec<_> = lengths.into_iter().map(|l| waiting(3, l)).collect();
            assert_eq!(request(&signals), expected);
        }
    }

    #[test]
    fn bodies_keep_bytes() {
        let s = |t: &str| Loaded {
            key: Uuid::nil(),
            raw: t.as_bytes().to_vec(),
        };
        assert_eq!(body(&[s("{\"a\":1.50}"), s("{ }")]), br#"[{"a":1.50},{ }]"#);
    }

    #[test]
    fn a_refusal_of_everything_is_not_believed_at_once() {
        assert!(is_believed(true, 0));
        assert!(!is_believed(false, 7));
        assert!(is_believed(false, 8));
    }

    #[test]
    fn refused_logins_are_not_repeated_in_haste() {
        assert_eq!(after_refusal(30, false).as_secs(), 5);
        assert_eq!(after_refusal(0, true).as_secs(), 5);
        assert_eq!(after_refusal(3, true).as_secs(), 40);
        assert_eq!(after_refusal(30, true).as_secs(), 1800);
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
