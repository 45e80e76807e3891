//! The chain of a tenant's audit trail. Each entry's seal is an HMAC of the seal before and of the entry; its words (names,
//! addresses, texts) enter by a digest, so that they can be taken out and the chain still holds.

use std::net::IpAddr;

use jiff::Timestamp;

use super::keyring::Keyring;

/// The seal before the first entry.
pub const BEGINNING: [u8; 32] = [0; 32];
/// The actions that begin a chain.
pub const FIRST: [&str; 3] = ["tenant.create", "audit.begin", "tenant.import"];

/// The words of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Words {
    pub actor: String,
    pub target: String,
    /// JSON, to the byte.
    pub details: String,
    pub source: Option<IpAddr>,
    pub request: Option<String>,
}

/// An entry without its words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Link {
    pub seq: i64,
    /// To the microsecond, as Postgres keeps it.
    pub at: Timestamp,
    pub actor_kind: i16,
    pub actor_id: Option<i64>,
    pub action: String,
    pub outcome: i16,
    /// Entries whose words this one took out: from, to, from, to.
    pub erased: Vec<i64>,
    pub digest: Vec<u8>,
}

impl Words {
    /// What stands for them in the chain: of this place only, and nobody without the key can try words.
    #[must_use]
    pub fn digest(&self, ring: &Keyring, tenant: i32, seq: i64) -> [u8; 32] {
        let source = self.source.map(|ip| ip.to_string()).unwrap_or_default();
        ring.audit_tag(&[
            b"words",
            &tenant.to_be_bytes(),
            &seq.to_be_bytes(),
            self.actor.as_bytes(),
            self.target.as_bytes(),
            self.details.as_bytes(),
            source.as_bytes(),
            // None and an empty one differ.
            &[u8::from(self.request.is_some())],
            self.request.as_deref().unwrap_or_default().as_bytes(),
        ])
    }
}

impl Link {
    /// The seal of this entry behind the one of the seal `prev`.
    #[must_use]
    pub fn seal(&self, ring: &Keyring, tenant: i32, prev: &[u8]) -> [u8; 32] {
        let erased: Vec<u8> = self.erased.iter().flat_map(|n| n.to_be_bytes()).collect();
        ring.audit_tag(&[
            b"entry",
            prev,
            &tenant.to_be_bytes(),
            &self.seq.to_be_bytes(),
            &self.at.as_microsecond().to_be_bytes(),
            &self.actor_kind.to_be_bytes(),
            &[u8::from(self.actor_id.is_some())],
            &self.actor_id.unwrap_or_default().to_be_bytes(),
            self.action.as_bytes(),
            &self.outcome.to_be_bytes(),
            &erased,
            &self.digest,
        ])
    }
}

/// An entry as it stands in the database.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Stored {
    pub link: Link,
    pub prev: Vec<u8>,
    pub hash: Vec<u8>,
    /// None where they were taken out.
    pub words: Option<Words>,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Fault {
    #[error("there is no chain: its head is gone")]
    NoChain,
    #[error("the chain was never begun, or all of it is gone")]
    Empty,
    #[error("entry {0}: the chain does not begin with its beginning")]
    Beginning(i64),
    #[error("entries {0} to {1} are missing")]
    Missing(i64, i64),
    #[error("entry {0} does not follow the one before")]
    Order(i64),
    #[error("entry {0} was changed")]
    Changed(i64),
    #[error("the words of entry {0} were changed")]
    Words(i64),
    #[error("the words of entry {0} are gone, and no erasure took them")]
    WordsGone(i64),
    #[error("the chain ends at entry {last}, its head says {head}: the end was cut off")]
    CutOff { last: i64, head: i64 },
    #[error("the chain goes on to entry {last}, its head says {head}: the head was set back")]
    SetBack { last: i64, head: i64 },
    #[error("the head was forged: it is not the seal of entry {0}")]
    Head(i64),
    #[error("entry {0} is not the one that was expected: the chain was put back or written anew")]
    NotExpected(i64),
    #[error("the chain ends at entry {last}, and {expected} was expected: it was put back")]
    PutBack { last: i64, expected: i64 },
}

/// A walk along a chain, entry by entry in the order of their numbers.
#[derive(Debug)]
pub struct Walk<'a> {
    ring: &'a Keyring,
    tenant: i32,
    seq: i64,
    seal: Vec<u8>,
    wordless: Vec<i64>,
    erased: Vec<(i64, i64, i64)>,
    expected: Option<(i64, Vec<u8>)>,
    faults: Vec<Fault>,
}

/// Faults beyond these are not listed.
const MOST: usize = 100;

impl<'a> Walk<'a> {
    /// From the beginning; `expected` is a number and its seal as somebody kept them elsewhere.
    #[must_use]
    pub fn new(ring: &'a Keyring, tenant: i32, expected: Option<(i64, Vec<u8>)>) -> Self {
        Self {
            ring,
            tenant,
            seq: 0,
            seal: BEGINNING.to_vec(),
            wordless: Vec::new(),
            erased: Vec::new(),
            expected,
            faults: Vec::new(),
        }
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < MOST {
            self.faults.push(fault);
        }
    }

    /// The next entry.
    pub fn step(&mut self, entry: &Stored) {
        let seq = entry.link.seq;
        if seq != self.seq + 1 {
            self.fault(Fault::Missing(self.seq + 1, seq - 1));
        } else if entry.prev != self.seal {
            self.fault(Fault::Order(seq));
        }
        if self.seq == 0 && seq == 1 && !FIRST.contains(&entry.link.action.as_str()) {
            self.fault(Fault::Beginning(seq));
        }
        if entry.hash != entry.link.seal(self.ring, self.tenant, &entry.prev) {
            self.fault(Fault::Changed(seq));
        }
        match &entry.words {
            None => self.wordless.push(seq),
            Some(words) if words.digest(self.ring, self.tenant, seq).as_slice() != entry.link.digest => {
                self.fault(Fault::Words(seq));
            }
            Some(_) => {}
        }
        for pair in entry.link.erased.chunks_exact(2) {
            self.erased.push((pair[0], pair[1], seq));
        }
        if self
            .expected
            .as_ref()
            .is_some_and(|(at, seal)| *at == seq && *seal != entry.hash)
        {
            self.fault(Fault::NotExpected(seq));
        }
        self.seq = seq;
        self.seal.clone_from(&entry.hash);
    }

    /// The end: what is wrong, against the head, behind which `last` is the highest number there is.
    #[must_use]
    pub fn end(mut self, head: i64, seal: &[u8], last: i64) -> Vec<Fault> {
        if head == 0 && last == 0 {
            self.fault(Fault::Empty);
        } else if self.seq < head {
            self.fault(Fault::CutOff { last: self.seq, head });
        } else if last > head {
            self.fault(Fault::SetBack { last, head });
        } else if self.seal != seal {
            self.fault(Fault::Head(head));
        }
        for seq in std::mem::take(&mut self.wordless) {
            let taken = |(from, to, by): &(i64, i64, i64)| (*from..=*to).contains(&seq) && *by >= seq;
            if !self.erased.iter().any(taken) {
                self.fault(Fault::WordsGone(seq));
            }
        }
        if let Some((expected, _)) = self.expected.take()
            && expected > self.seq
        {
            let last = self.seq;
            self.fault(Fault::PutBack { last, expected });
        }
        self.faults
    }
}

/// Numbers as ranges, from and to in turns.
#[must_use]
pub fn ranges(numbers: &[i64]) -> Vec<i64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let mut out: Vec<i64> = Vec::new();
    for n in sorted {
        match out.last_mut() {
            Some(last) if *last + 1 >= n => *last = n,
            _ => out.extend([n, n]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Keyring {
        Keyring::new(b"0123456789abcdef0123456789abcdef")
    }

    /// A chain of five; the fourth took the words of the second out.
    fn chain(ring: &Keyring) -> Vec<Stored> {
        let mut prev = BEGINNING.to_vec();
        let mut all = Vec::new();
        for seq in 1..=5 {
            let words = Words {
                actor: "ann".to_owned(),
                target: format!("thing {seq}"),
                details: "{}".to_owned(),
                ..Words::default()
            };
            let link = Link {
                seq,
                at: Timestamp::from_second(1_700_000_000 + seq).unwrap(),
                actor_kind: 4,
                actor_id: None,
                action: if seq == 1 { "tenant.create" } else { "x.change" }.to_owned(),
                outcome: 1,
                erased: if seq == 4 { vec![2, 2] } else { Vec::new() },
                digest: words.digest(ring, 7, seq).to_vec(),
            };
            let hash = link.seal(ring, 7, &prev).to_vec();
            all.push(Stored {
                link,
                prev: std::mem::replace(&mut prev, hash.clone()),
                hash,
                words: (seq != 2).then_some(words),
            });
        }
        all
    }

    fn walked(
        ring: &Keyring,
        all: &[Stored],
        head: (i64, &[u8]),
        expected: Option<(i64, Vec<u8>)>,
    ) -> Vec<Fault> {
        let mut walk = Walk::new(ring, 7, expected);
        for entry in all {
            walk.step(entry);
        }
        let last = all.iter().map(|e| e.link.seq).max().unwrap_or(0);
        walk.end(head.0, head.1, last)
    }

    type Change = fn(&mut Vec<Stored>);

    #[test]
    fn every_tampering_is_found_and_nothing_else() {
        let ring = ring();
        let good = chain(&ring);
        let seal = good[4].hash.clone();
        let head = (5, seal.as_slice());
        assert_eq!(walked(&ring, &good, head, None), []);
        assert_eq!(walked(&ring, &good, head, Some((5, seal.clone()))), []);
        assert_eq!(walked(&ring, &good, head, Some((3, good[2].hash.clone()))), []);
        let table: [(&str, Change, &[Fault]); 11] = [
            ("an edit", |c| c[2].link.action = "y".into(), &[Fault::Changed(3)]),
            (
                "another time",
                |c| c[2].link.at = Timestamp::UNIX_EPOCH,
                &[Fault::Changed(3)],
            ),
            (
                "another actor",
                |c| c[2].link.actor_id = Some(0),
                &[Fault::Changed(3)],
            ),
            (
                "other words",
                |c| c[2].words.as_mut().unwrap().target = "z".into(),
                &[Fault::Words(3)],
            ),
            ("words gone", |c| c[2].words = None, &[Fault::WordsGone(3)]),
            ("a row gone", |c| drop(c.remove(2)), &[Fault::Missing(3, 3)]),
            ("the first gone", |c| drop(c.remove(0)), &[Fault::Missing(1, 1)]),
            (
                "the end gone",
                |c| c.truncate(3),
                // The fourth had said whose words it took.
                &[Fault::CutOff { last: 3, head: 5 }, Fault::WordsGone(2)],
            ),
            ("all gone", Vec::clear, &[Fault::CutOff { last: 0, head: 5 }]),
            (
                "an erasure undone",
                |c| c[3].link.erased.clear(),
                &[Fault::Changed(4), Fault::WordsGone(2)],
            ),
            (
                "a swap",
                |c| {
                    c.swap(2, 3);
                    c[2].link.seq = 3;
                    c[3].link.seq = 4;
                },
                &[
                    Fault::Order(3),
                    Fault::Changed(3),
                    Fault::Words(3),
                    Fault::Order(4),
                    Fault::Changed(4),
                    Fault::Words(4),
                    Fault::Order(5),
                ],
            ),
        ];
        for (name, change, expected) in table {
            let mut bad = good.clone();
            change(&mut bad);
            assert_eq!(walked(&ring, &bad, head, None), expected, "{name}");
        }
        // A head that was changed, or put back with the rows behind it.
        assert_eq!(walked(&ring, &good, (5, &[1; 32]), None), [Fault::Head(5)]);
        let back = (4, good[3].hash.as_slice());
        assert_eq!(
            walked(&ring, &good, back, None),
            [Fault::SetBack { last: 5, head: 4 }]
        );
        assert_eq!(
            walked(&ring, &good[..4], back, None),
            [],
            "only an anchor kept elsewhere tells"
        );
        let found = walked(&ring, &good[..4], back, Some((5, seal.clone())));
        assert_eq!(found, [Fault::PutBack { last: 4, expected: 5 }]);
        assert_eq!(
            walked(&ring, &good, head, Some((3, seal.clone()))),
            [Fault::NotExpected(3)]
        );
        assert_eq!(walked(&ring, &[], (0, &BEGINNING), None), [Fault::Empty]);
        // Another key, another tenant: nothing fits.
        let other = Keyring::new(b"0123456789abcdef0123456789abcdeX");
        assert!(walked(&other, &good, head, None).contains(&Fault::Changed(1)));
    }

    #[test]
    fn numbers_become_ranges() {
        for (numbers, expected) in [
            (&[][..], &[][..]),
            (&[4], &[4, 4]),
            (&[1, 2, 3], &[1, 3]),
            (&[9, 1, 3, 2, 9], &[1, 3, 9, 9]),
        ] {
            assert_eq!(ranges(numbers), expected, "{numbers:?}");
        }
    }
}
