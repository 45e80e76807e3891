//! A list, its entries, and what may be said of them.

mod draft;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use draft::{EntryDraft, NewEntry, checked, probes, read, wrong_text};

use crate::fleet::decision::{Source, Subject};
use crate::kernel::net::Block;
use crate::kernel::time::rfc3339_millis;

/// Most lists of one tenant.
pub const LIST_LIMIT: i64 = 100;
/// Most entries of one tenant, over all its lists; expired ones do not count.
pub const ENTRY_LIMIT: i64 = 50_000;
/// Most lifted decisions that are told one by one.
pub const LIFTS_TOLD: i64 = 1000;
/// A list, and how many of its entries count now.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct List {
    pub id: i64,
    pub name: String,
    pub description: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub entries: i64,
}

/// A list with entries, to be made with its tenant.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct NewList {
    pub name: String,
    pub description: String,
    pub entries: Vec<NewEntry>,
}

/// An entry as it is stored.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Entry {
    pub id: i64,
    pub value: String,
    pub reason: String,
    /// Who added it, or changed it last.
    pub actor: String,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A decision that new entries lift.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Lift {
    pub value: String,
    pub scope: String,
    pub kind: String,
    pub origin: String,
    pub scenario: String,
    pub until: Timestamp,
    pub from: String,
}

/// What adding entries does, or would do.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Added {
    pub list: List,
    /// Values that the list did not have.
    pub added: usize,
    /// Values that it had: with a new reason and end.
    pub replaced: usize,
    /// Those that are told, newest first.
    pub lifts: Vec<Lift>,
    /// All of them.
    pub lift_count: usize,
}

/// The entry that overlaps a block.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Covering {
    pub list: String,
    pub value: String,
    pub reason: String,
}

/// Who says a decision, in words.
#[must_use]
pub fn from(source: Source, server: Option<&str>, machine: Option<&str>) -> String {
    match source {
        Source::Signal(id) => format!(
            "machine {}",
            machine.map_or_else(|| id.to_string(), str::to_owned)
        ),
        Source::Server(id) => format!("server {}", server.map_or_else(|| id.to_string(), str::to_owned)),
        Source::Hand => "hand".to_owned(),
        Source::Analyzer(id) => format!("analyzer {id}"),
    }
}

/// What is remembered of a change: a sentence, all of it as JSON, and the block where it is about one.
#[must_use]
pub fn remember(added: &Added, entries: &[NewEntry], actor: &str) -> (String, Value, Option<Subject>) {
    let list = &added.list.name;
    let subject = match entries {
        [one] => Some(one.subject),
        _ => None,
    };
    let (what, why) = match entries {
        [one] if !one.reason.is_empty() => (one.subject.value(), format!(": {}", one.reason)),
        [one] => (one.subject.value(), String::new()),
        all => (format!("{} entries", all.len()), String::new()),
    };
    let row = |entry: &NewEntry| {
        json!({ "value": entry.subject.value(), "reason": entry.reason,
            "expiresAt": entry.expires_at.map(rfc3339_millis) })
    };
    let raw = json!({
        "kind": "allowlist-add", "list": list, "entries": entries.iter().map(row).collect::<Vec<_>>(),
        "added": added.added, "replaced": added.replaced, "lifted": added.lift_count, "actor": actor,
    });
    (format!("{what} added to {list}{why}"), raw, subject)
}

/// The same of an entry that is taken out, or of a whole list.
#[must_use]
pub fn remember_gone(list: &str, entry: Option<Block>, actor: &str) -> (String, Value) {
    let value = entry.map(|block| Subject(block).value());
    let (kind, text) = match &value {
        Some(value) => ("allowlist-remove", format!("{value} removed from {list}")),
        None => ("allowlist-delete", format!("list {list} deleted")),
    };
    (
        text,
        json!({ "kind": kind, "list": list, "value": value, "actor": actor }),
    )
}
