//! Whether what should hold for an address does hold on a server.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::fleet::decision::queries::{Said, Source};
use crate::kernel::net::{Block, parse_block};

/// How far the end of a copy may be from the wanted one: servers round, and clocks differ.
const CLOSE: SignedDuration = SignedDuration::from_secs(5);

/// A LAPI server, as far as delivery sees it.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Place {
    pub id: i64,
    pub name: String,
    pub can_write: bool,
    pub replicates: bool,
    /// Which of the tenant's engines it is, where that is known.
    pub engine: Option<i64>,
    pub compared_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
}

/// What Garrison put on a server.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Copy {
    pub server: i64,
    pub key: Uuid,
    pub value: String,
    pub kind: String,
    pub until: Timestamp,
    /// Refused there for good; `error` says why.
    pub refused: bool,
    pub error: Option<String>,
    pub placed_at: Timestamp,
    pub checked_at: Option<Timestamp>,
}

/// How a decision stands on one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Until when a copy should be there; none where none should be.
    pub wanted: Option<Timestamp>,
    /// A copy with that end was put there.
    pub delivered: bool,
    /// The server has it by itself.
    pub own: bool,
}

/// Whether a row asks for a copy on a server.
#[must_use]
pub fn asks_for(said: &Said, place: &Place) -> bool {
    said.lifted_at.is_none()
        && place.can_write
        && match said.source {
            Source::Server(id) => place.replicates && id != place.id,
            Source::Signal(machine) => place.replicates && place.engine != Some(machine),
            Source::Hand => said.servers.as_ref().is_none_or(|ids| ids.contains(&place.id)),
            Source::Analyzer(_) => {
                place.replicates || said.servers.as_ref().is_none_or(|ids| ids.contains(&place.id))
            }
        }
}

/// How the decision that these rows are about stands on a server; `copy` is what was put there under its key.
#[must_use]
pub fn standing(said: &[&Said], place: &Place, copy: Option<&Copy>) -> Standing {
    let asking = said.iter().filter(|row| asks_for(row, place));
    let wanted = asking.map(|row| row.until).max();
    let close = |copy: &Copy| {
        !copy.refused && wanted.is_some_and(|end| copy.until.duration_since(end).abs() <= CLOSE)
    };
    Standing {
        wanted,
        delivered: copy.is_some_and(close),
        own: said
            .iter()
            .any(|row| row.lifted_at.is_none() && row.source == Source::Server(place.id)),
    }
}

/// The decisions that hold for the whole of a block, by key, in the order in which they were first said: rows that are
/// about a part of it, and decisions that were lifted altogether, are left out.
#[must_use]
pub fn holding<'a>(said: &'a [Said], block: &Block) -> Vec<(Uuid, Vec<&'a Said>)> {
    let mut places: BTreeMap<Uuid, usize> = BTreeMap::new();
    let mut found: Vec<(Uuid, Vec<&Said>)> = Vec::new();
    for row in said {
        if parse_block(&row.value).is_some_and(|of| of.contains_block(block)) {
            let at = *places.entry(row.key).or_insert(found.len());
            match found.get_mut(at) {
                Some((_, rows)) => rows.push(row),
                None => found.push((row.key, vec![row])),
            }
        }
    }
    found.retain(|(_, rows)| rows.iter().any(|row| row.lifted_at.is_none()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::decision::model::Fact;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn said(source: Source, value: &str, until: i64) -> Said {
        let fact = Fact::read("Ip", value, "ban").unwrap();
        Said {
            key: fact.key(),
            source,
            origin: "crowdsec".to_owned(),
            scope: fact.scope.to_owned(),
            value: fact.value,
            kind: fact.kind,
            scenario: "ssh".to_owned(),
            until: at(until),
            uuid: None,
            servers: None,
            reason: None,
            actor: None,
            since: at(0),
            lifted_at: None,
        }
    }

    fn place(id: i64) -> Place {
        Place {
            id,
            name: format!("s{id}"),
            can_write: true,
            replicates: true,
            engine: None,
            compared_at: None,
            read_at: None,
        }
    }

    fn copy(until: i64, refused: bool) -> Copy {
        Copy {
            server: 1,
            key: Uuid::nil(),
            value: String::new(),
            kind: "ban".to_owned(),
            until: at(until),
            refused,
            error: None,
            placed_at: at(0),
            checked_at: None,
        }
    }

    #[test]
    fn who_asks_for_a_copy_where() {
        let row = |source| said(source, "192.0.2.7", 100);
        let named = |ids: &[i64]| Said {
            servers: Some(ids.to_vec()),
            ..row(Source::Hand)
        };
        let lifted = Said {
            lifted_at: Some(at(1)),
            ..row(Source::Signal(7))
        };
        let engine = |machine| Place {
            engine: Some(machine),
            ..place(1)
        };
        let alone = Place {
            replicates: false,
            ..place(1)
        };
        let lone = alone.clone();
        let other = Said {
            servers: Some(vec![2]),
            ..row(Source::Analyzer(5))
        };
        let reader = Place {
            can_write: false,
            ..place(1)
        };
        for (name, row, place, expected) in [
            ("a signal", row(Source::Signal(7)), place(1), true),
            ("of its own engine", row(Source::Signal(7)), engine(7), false),
            ("of another engine", row(Source::Signal(7)), engine(8), true),
            ("another server's", row(Source::Server(2)), place(1), true),
            ("its own", row(Source::Server(1)), place(1), false),
            (
                "where nothing is replicated",
                row(Source::Signal(7)),
                alone.clone(),
                false,
            ),
            (
                "another server's there",
                row(Source::Server(2)),
                alone.clone(),
                false,
            ),
            ("by hand there", row(Source::Hand), alone, true),
            ("by hand", row(Source::Hand), place(1), true),
            ("by hand, named", named(&[3, 1]), place(1), true),
            ("by hand, elsewhere", named(&[2]), place(1), false),
            ("by hand, nowhere", named(&[]), place(1), false),
            ("an analyzer's, elsewhere", other.clone(), lone, false),
            ("where what others say goes, too", other, place(1), true),
            ("where nothing can be written", row(Source::Hand), reader, false),
            ("lifted", lifted, place(1), false),
        ] {
            assert_eq!(asks_for(&row, &place), expected, "{name}");
        }
    }

    #[test]
    fn the_latest_end_of_others_is_wanted() {
        let rows = [
            said(Source::Signal(7), "192.0.2.7", 100),
            said(Source::Server(1), "192.0.2.7", 900),
            said(Source::Server(2), "192.0.2.7", 200),
        ];
        let all: Vec<&Said> = rows.iter().collect();
        for (copy, delivered) in [
            (None, false),
            (Some(copy(200, false)), true),
            (Some(copy(205, false)), true),
            (Some(copy(195, false)), true),
            (Some(copy(206, false)), false),
            (Some(copy(194, false)), false),
            (Some(copy(900, false)), false),
            (Some(copy(200, true)), false),
        ] {
            let expected = Standing {
                wanted: Some(at(200)),
                delivered,
                own: true,
            };
            assert_eq!(standing(&all, &place(1), copy.as_ref()), expected, "{copy:?}");
        }
        let other = standing(&all, &place(2), Some(&copy(900, false)));
        assert_eq!(
            (other.wanted, other.delivered, other.own),
            (Some(at(900)), true, true)
        );
        let third = standing(&all[1..2], &place(1), Some(&copy(900, false)));
        assert_eq!((third.wanted, third.delivered, third.own), (None, false, true));
    }

    #[test]
    fn what_holds_covers_the_whole_block() {
        let block = parse_block("192.0.2.0/25").unwrap();
        let mut gone = said(Source::Server(1), "192.0.0.0/16", 100);
        gone.lifted_at = Some(at(1));
        let rows = [
            said(Source::Signal(1), "192.0.2.0/24", 100),
            gone,
            said(Source::Signal(1), "192.0.2.7", 100),
            said(Source::Server(1), "192.0.2.0/25", 100),
            said(Source::Server(2), "192.0.2.0/24", 100),
            said(Source::Server(2), "2001:db8::/32", 100),
        ];
        let found = holding(&rows, &block);
        let shown: Vec<(&str, usize)> = found
            .iter()
            .map(|(_, r)| (r[0].value.as_str(), r.len()))
            .collect();
        assert_eq!(shown, [("192.0.2.0/24", 2), ("192.0.2.0/25", 1)]);
    }
}
