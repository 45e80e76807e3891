//! What to do on a server about one decision, and how it is said there.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fleet::decision::OUR_ORIGIN;
use crate::kernel::time::rfc3339_millis;

/// Two ends that are this close are the same: a server tells what is left, to the second and some time ago.
pub const SAME: SignedDuration = SignedDuration::from_secs(4);
/// Two ends that we know to the second: with what the set itself lets pass, an end is never wrong by five.
const KNOWN: SignedDuration = SignedDuration::from_secs(2);
/// What ends sooner is not worth a way.
const WORTH: SignedDuration = SignedDuration::from_secs(2);
/// Most decisions of one request.
pub const PORTION: usize = 500;

/// What is known of one decision at one server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct View {
    pub key: Uuid,
    pub scope: String,
    pub value: String,
    pub kind: String,
    pub scenario: String,
    /// Until when it should hold there because of what others say.
    pub wanted: Option<Timestamp>,
    /// Until when it holds there anyway.
    pub own: Option<Timestamp>,
    /// What Garrison put there, as far as it knows: its end, and whether it was refused.
    pub copy: Option<(Timestamp, bool)>,
    /// Origins of the server's own decisions that were lifted here and are to be lifted there.
    pub lifts: Vec<String>,
}

impl View {
    /// Until when a copy should be there; none when nobody wants it, or the server has as much by itself.
    #[must_use]
    pub fn wanted(&self, now: Timestamp) -> Option<Timestamp> {
        let wanted = self.wanted.filter(|end| end.duration_since(now) > WORTH)?;
        let has = self.own.is_some_and(|own| reaches(own, wanted));
        (!has).then_some(wanted)
    }
}

/// What to do about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Leave,
    /// Put a copy there that ends then.
    Place(Timestamp),
    /// The same, and what is there of ours goes once the new one is there.
    Replace(Timestamp),
    /// End our copy there.
    Withdraw,
    /// Only our note of it goes.
    Forget,
}

/// What to do, by what Garrison knows of its copies.
#[must_use]
pub fn step(view: &View, now: Timestamp) -> Step {
    match (view.wanted(now), view.copy) {
        (None, None) => Step::Leave,
        (None, Some((until, refused))) if refused || until <= now => Step::Forget,
        (None, Some(_)) => Step::Withdraw,
        (Some(until), None) => Step::Place(until),
        (Some(wanted), Some((until, true))) if reaches(until, wanted) => Step::Leave,
        (Some(wanted), Some((_, true))) => Step::Place(wanted),
        (Some(wanted), Some((until, false))) => {
            if wanted.duration_since(until).abs() <= KNOWN {
                Step::Leave
            } else {
                Step::Replace(wanted)
            }
        }
    }
}

/// A decision of ours that was found on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Found {
    pub id: i64,
    pub until: Timestamp,
}

/// What to do by what was found there: which one stays, which end, whether one is to be put there.
#[derive(Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Repair {
    pub keep: Option<Timestamp>,
    pub end: Vec<i64>,
    pub place: Option<Timestamp>,
}

/// Compares what should be there with what is.
#[must_use]
pub fn repair(wanted: Option<Timestamp>, found: &[Found]) -> Repair {
    let good = wanted.and_then(|wanted| found.iter().position(|f| same(f.until, wanted)));
    let end = found.iter().enumerate().filter(|(n, _)| Some(*n) != good);
    Repair {
        keep: good.map(|n| found[n].until),
        end: end.map(|(_, found)| found.id).collect(),
        place: if good.is_none() { wanted } else { None },
    }
}

/// Whether what ends at `one` holds until `other`, or nearly so. Differences of times never run over; their sums do.
fn reaches(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other) >= -SAME
}

fn same(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= SAME
}

/// A copy to be put on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Placing {
    pub key: Uuid,
    pub scope: String,
    pub value: String,
    pub kind: String,
    pub scenario: String,
    pub until: Timestamp,
}

impl Placing {
    /// From what is known of it.
    #[must_use]
    pub fn of(view: View, until: Timestamp) -> Self {
        Self {
            key: view.key,
            scope: view.scope,
            value: view.value,
            kind: view.kind,
            scenario: view.scenario,
            until,
        }
    }
}

/// The alert that puts a copy on a server. A server adds the duration to `stop_at`, so that is the server's own now
/// (crowdsec-protocol.md 2.3).
#[must_use]
pub fn alert(copy: &Placing, now: Timestamp, skew: SignedDuration) -> Value {
    let there = rfc3339_millis(now.checked_add(skew).unwrap_or(now));
    let left = copy.until.duration_since(now).as_millis().max(1);
    let scenario = if copy.scenario.is_empty() {
        "garrison/replicated"
    } else {
        &copy.scenario
    };
    let mut source = json!({ "scope": copy.scope, "value": copy.value });
    match copy.scope.as_str() {
        "Ip" => source["ip"] = json!(copy.value),
        "Range" => source["range"] = json!(copy.value),
        _ => {}
    }
    json!({
        "scenario": scenario, "scenario_hash": "", "scenario_version": "", "message": format!("{scenario}, by Garrison"),
        "events_count": 1, "capacity": 0, "leakspeed": "0s", "start_at": there, "stop_at": there, "simulated": false,
        "remediation": true, "source": source, "events": [],
        "decisions": [{ "duration": format!("{left}ms"), "type": copy.kind, "scope": copy.scope, "value": copy.value,
            "origin": OUR_ORIGIN, "scenario": scenario }],
    })
}

/// How many go into one request after so many failures in a row: one bad item is alone after four.
#[must_use]
pub fn portion(failures: i32) -> usize {
    match failures {
        ..=1 => PORTION,
        2 => PORTION / 8,
        3 => PORTION / 64,
        _ => 1,
    }
}

/// Tries after which an item that a server refuses, while it takes nothing else, is given up.
const TRIES: i32 = 10;

/// Whether a refusal of single items is believed: when the server took others in the same turn, or has refused for long.
#[must_use]
pub const fn is_believed(took: bool, failures: i32) -> bool {
    took || failures >= TRIES
}

/// Whether a status speaks of the content: 1.4.6 answers 500 to what it cannot read.
#[must_use]
pub const fn is_about_content(status: u16) -> bool {
    matches!(status, 400 | 413 | 422 | 500)
}

#[cfg(test)]
mod tests;
