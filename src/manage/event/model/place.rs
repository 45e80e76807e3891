//! Places in the log, and where a stream goes on.

use crate::kernel::keyring::Keyring;

/// A place in the log: of the row `(xid, seq)` the first `part` events are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The transaction that wrote the row.
    pub xid: u64,
    /// The row's number.
    pub seq: i64,
    /// Events of the row.
    pub part: u32,
}

impl Place {
    /// Behind all events of a row.
    #[must_use]
    pub const fn behind(xid: u64, seq: i64) -> Self {
        let part = u32::MAX;
        Self { xid, seq, part }
    }

    /// Before the first row of a transaction.
    #[must_use]
    pub const fn before(xid: u64) -> Self {
        Self::behind(xid, 0)
    }

    /// As an event's `id`; the tag says which log it is a place of.
    #[must_use]
    pub fn id(&self, tag: &str) -> String {
        let Self { xid, seq, part } = self;
        match *part {
            u32::MAX => format!("{tag}-{xid}-{seq}"),
            part => format!("{tag}-{xid}-{seq}-{part}"),
        }
    }
}

/// What a client asks for as its last event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// `0`: all that is kept.
    Start,
    /// What comes behind a place of the log with this tag.
    Place(String, Place),
}

impl Since {
    /// Reads an `id`; none for what is not one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self::Start);
        }
        let mut parts = text.split('-');
        let tag = parts.next()?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if tag.len() != 8 || !tag.bytes().all(hex) {
            return None;
        }
        let xid = digits(parts.next()?)?.parse().ok()?;
        let seq = digits(parts.next()?)?.parse().ok()?;
        let part = match parts.next() {
            Some(text) => digits(text)?.parse().ok()?,
            None => u32::MAX,
        };
        let place = Place { xid, seq, part };
        parts.next().is_none().then(|| Self::Place(tag.to_owned(), place))
    }
}

fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|b| b.is_ascii_digit()).then_some(text)
}

/// Which log this is, and what of it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Rows of transactions up to here may be gone.
    pub floor: u64,
    /// Rows of transactions from here on may still appear.
    pub horizon: u64,
    /// The cluster, and how often a standby of it took over.
    pub origin: Vec<u8>,
}

/// Marks a log: a tenant's, in a cluster, since a standby last took over. Numbers of any other say nothing here.
#[must_use]
pub fn tag_of(ring: &Keyring, tenant: i32, log: &Log) -> String {
    let tag = ring.cursor_tag(&[b"events", &tenant.to_be_bytes(), &log.origin]);
    format!("{:08x}", u32::from_be_bytes([tag[0], tag[1], tag[2], tag[3]]))
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Here, and nothing is missing.
    At(Place),
    /// Here; why something may be missing.
    Reset(Place, &'static str),
}

/// Where a stream begins: behind the last event, at the oldest that is kept, or now.
#[must_use]
pub fn resume(asked: Option<&Since>, log: &Log, tag: &str) -> Resume {
    let oldest = Place::before(log.floor + 1);
    match asked {
        None => Resume::At(Place::before(log.horizon)),
        Some(Since::Start) => Resume::At(oldest),
        // What lies ahead was told by a log that this one is not the continuation of.
        Some(Since::Place(of, place)) if of != tag || place.xid > log.horizon => {
            Resume::Reset(oldest, "unknown")
        }
        Some(Since::Place(_, place)) if place.xid <= log.floor => Resume::Reset(oldest, "expired"),
        Some(Since::Place(_, place)) => Resume::At(*place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is() {
        for place in [
            Place::behind(7, 9),
            Place::before(u64::MAX),
            Place {
                xid: 1,
                seq: i64::MAX,
                part: 1,
            },
        ] {
            let text = place.id("00ff00ff");
            assert_eq!(
                Since::read(&text),
                Some(Since::Place("00ff00ff".to_owned(), place)),
                "{text}"
            );
        }
        assert_eq!(Since::read("0"), Some(Since::Start));
        for bad in [
            "",
            "1",
            "00",
            "7-9",
            "00ff00ff",
            "00ff00ff-7",
            "00ff00ff-7-",
            "00ff00ff-+7-9",
            "00FF00FF-7-9",
            "00ff00f-7-9",
            "00ff00ff-7-9-1-1",
            "00ff00ff-7-9-",
            "00ff00ff-7--9",
            "00ff00ff-18446744073709551616-9",
            "00ff00ff-7-9-4294967296",
            "é",
            "00ff00ff-7-9\n",
        ] {
            assert_eq!(Since::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_stream_goes_on_where_it_was_or_says_that_it_cannot() {
        let log = Log {
            floor: 100,
            horizon: 500,
            origin: Vec::new(),
        };
        let ask = |tag: &str, xid| Some(Since::Place(tag.to_owned(), Place { xid, seq: 3, part: 2 }));
        let there = |xid| Resume::At(Place { xid, seq: 3, part: 2 });
        let oldest = Place::before(101);
        for (asked, expected) in [
            (None, Resume::At(Place::before(500))),
            (Some(Since::Start), Resume::At(oldest)),
            (ask("a", 101), there(101)),
            (ask("a", 500), there(500)),
            (ask("a", 501), Resume::Reset(oldest, "unknown")),
            (ask("b", 300), Resume::Reset(oldest, "unknown")),
            (ask("a", 100), Resume::Reset(oldest, "expired")),
            (ask("a", 0), Resume::Reset(oldest, "expired")),
        ] {
            assert_eq!(resume(asked.as_ref(), &log, "a"), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_tag_is_of_one_tenant_and_one_log() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        let log = |origin: &[u8]| Log {
            floor: 0,
            horizon: 1,
            origin: origin.to_vec(),
        };
        let tag = tag_of(&ring, 1, &log(b"x"));
        assert_eq!(tag.len(), 8);
        assert_ne!(tag, tag_of(&ring, 2, &log(b"x")));
        assert_ne!(tag, tag_of(&ring, 1, &log(b"y")));
    }
}
