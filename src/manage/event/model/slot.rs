//! What a row of the log tells: one event or many, each with a place of its own.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::place::Place;

/// Kinds of events that a stream is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, clippy::struct_excessive_bools)] // they are asked for one by one
pub struct Kinds {
    pub alert: bool,
    pub filter: bool,
    pub delivery: bool,
    pub decision: bool,
}

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self {
        alert: true,
        filter: true,
        delivery: true,
        decision: true,
    };

    /// Reads `alert,decision`; none for a word that is no kind.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut kinds = Self::default();
        for word in text.split(',') {
            match word {
                "alert" => kinds.alert = true,
                "filter" => kinds.filter = true,
                "delivery" => kinds.delivery = true,
                "decision" => kinds.decision = true,
                _ => return None,
            }
        }
        Some(kinds)
    }

    /// The numbers in `event.kind` of rows that tell of them.
    #[must_use]
    pub fn codes(self) -> Vec<i16> {
        let mut codes = Vec::new();
        if self.alert || self.filter {
            codes.push(1);
        }
        if self.delivery {
            codes.extend([2, 3, 4, 5]);
        }
        if self.decision {
            codes.extend([11, 12, 13, 14, 15]);
        }
        codes
    }
}

/// A row of the log.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Entry {
    pub xid: u64,
    pub seq: i64,
    pub at: Timestamp,
    pub kind: i16,
    pub keys: Vec<Uuid>,
    pub detail: Value,
}

/// One event: its place and what it is about.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Slot {
    pub place: Place,
    pub at: Timestamp,
    pub what: What,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum What {
    /// An alert was stored.
    Alert(Uuid),
    /// The filters judged an alert.
    Verdict(Uuid),
    /// CAPI took an alert, or refused it for this.
    Sent(Uuid, Option<String>),
    /// A decision was put on a LAPI server, or refused there for this.
    Placed(i64, Uuid, Option<String>),
    /// The set changed.
    Decided(&'static str, Said),
}

/// A row of the set, as it is kept in the log.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs)]
pub struct Said {
    pub source: i16,
    pub source_id: i64,
    pub origin: String,
    pub scope: String,
    pub value: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub scenario: String,
    pub until: Timestamp,
}

/// The events of these rows behind a place, at most so many, and whether there are more.
#[must_use]
pub fn slots(entries: &[Entry], after: Place, kinds: Kinds, most: usize) -> (Vec<Slot>, bool) {
    let mut all = entries
        .iter()
        .flat_map(|entry| expand(entry, kinds))
        .filter(|slot| slot.place > after);
    let first: Vec<Slot> = all.by_ref().take(most).collect();
    let more = all.next().is_some();
    (first, more)
}

/// Numbers do not depend on what is asked for: a place is the same in every stream.
fn expand(entry: &Entry, kinds: Kinds) -> impl Iterator<Item = Slot> {
    let error = || entry.detail["error"].as_str().map(str::to_owned);
    let server = entry.detail["server"].as_i64().unwrap_or_default();
    let keys = entry.keys.iter().copied();
    let told: Vec<What> = match entry.kind {
        1 => keys
            .flat_map(|key| [What::Alert(key), What::Verdict(key)])
            .collect(),
        2 | 3 => keys.map(|key| What::Sent(key, error())).collect(),
        4 | 5 => keys.map(|key| What::Placed(server, key, error())).collect(),
        code => {
            let rows = entry.detail.as_array().into_iter().flatten();
            let action = action(code);
            rows.filter_map(|row| Some(What::Decided(action?, Said::deserialize(row).ok()?)))
                .collect()
        }
    };
    let (xid, seq, at) = (entry.xid, entry.seq, entry.at);
    let numbered = (1..).zip(told);
    let slot = move |(part, what)| Slot {
        place: Place { xid, seq, part },
        at,
        what,
    };
    numbered.map(slot).filter(move |slot| match slot.what {
        What::Alert(_) => kinds.alert,
        What::Verdict(_) => kinds.filter,
        _ => true,
    })
}

/// What happened to a row of the set; none for what a newer release writes.
const fn action(code: i16) -> Option<&'static str> {
    match code {
        11 => Some("added"),
        12 => Some("changed"),
        13 => Some("lifted"),
        14 => Some("withdrawn"),
        15 => Some("expired"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(xid: u64, seq: i64, kind: i16, keys: u128, detail: Value) -> Entry {
        let keys = (1..=keys).map(Uuid::from_u128).collect();
        Entry {
            xid,
            seq,
            at: Timestamp::UNIX_EPOCH,
            kind,
            keys,
            detail,
        }
    }

    fn places(slots: &[Slot]) -> Vec<(u64, i64, u32)> {
        slots
            .iter()
            .map(|s| (s.place.xid, s.place.seq, s.place.part))
            .collect()
    }

    #[test]
    fn kinds_are_read_by_name() {
        assert_eq!(Kinds::read("alert,filter,delivery,decision"), Some(Kinds::ALL));
        assert_eq!(Kinds::ALL.codes().len(), 10);
        assert_eq!(Kinds::read("decision,decision").map(|k| k.codes().len()), Some(5));
        for bad in ["", "alerts", "alert,", ",alert", "Alert", "alert decision"] {
            assert_eq!(Kinds::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_event_has_a_place_whatever_is_asked_for() {
        let rows = [
            entry(5, 1, 1, 2, Value::Null),
            entry(5, 2, 3, 1, json!({"error": "no"})),
        ];
        let (all, more) = slots(&rows, Place::before(5), Kinds::ALL, 10);
        assert_eq!(
            places(&all),
            [(5, 1, 1), (5, 1, 2), (5, 1, 3), (5, 1, 4), (5, 2, 1)]
        );
        assert!(!more);
        assert_eq!(all[4].what, What::Sent(Uuid::from_u128(1), Some("no".to_owned())));
        let filters = Kinds {
            filter: true,
            ..Kinds::default()
        };
        assert_eq!(
            places(&slots(&rows[..1], Place::before(5), filters, 10).0),
            [(5, 1, 2), (5, 1, 4)]
        );
        // Half of a row, and where it goes on.
        let (some, more) = slots(&rows, all[0].place, Kinds::ALL, 2);
        assert_eq!((places(&some), more), (vec![(5, 1, 2), (5, 1, 3)], true));
        let (rest, more) = slots(&rows, some[1].place, Kinds::ALL, 2);
        assert_eq!((places(&rest), more), (vec![(5, 1, 4), (5, 2, 1)], false));
        assert!(
            slots(&rows, Place::behind(5, 2), Kinds::ALL, 9).0.is_empty(),
            "told whole"
        );
    }

    #[test]
    fn the_set_is_told_by_its_rows() {
        let row = json!({"key": "x", "source": 3, "source_id": 0, "origin": "crowdsieve", "scope": "Ip", "value": "192.0.2.1",
            "type": "ban", "scenario": "s", "until": "2026-11-22T09:00:00.5+01:00"});
        let (all, _) = slots(
            &[entry(5, 1, 13, 0, json!([row, row]))],
            Place::before(5),
            Kinds::ALL,
            9,
        );
        let What::Decided(action, said) = &all[1].what else {
            panic!("{all:?}")
        };
        assert_eq!(
            (*action, said.until.to_string().as_str()),
            ("lifted", "2026-11-22T08:00:00.5Z")
        );
        assert!(
            slots(
                &[entry(5, 1, 99, 1, json!([row]))],
                Place::before(5),
                Kinds::ALL,
                9
            )
            .0
            .is_empty()
        );
    }
}
