//! What is known of an address, told in the order of time; the verdict; what can be done.

mod event;
mod fix;
mod verdict;

use std::collections::HashMap;

use jiff::Timestamp;

pub use event::{Event, events};
pub use fix::{Fix, Held, Situation, fixes};
pub use verdict::{Verdict, verdict};

use crate::fleet::decision::{Copy, Place, Said, ServerResult, Source};
use crate::kernel::net::{Block, parse_block};

/// An entry of an allowlist.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Entry {
    pub list: String,
    pub value: String,
    pub reason: String,
    pub actor: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// An alert about the address.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct AlertSeen {
    pub id: i64,
    pub at: Timestamp,
    pub scenario: String,
    pub message: Option<String>,
    pub source: Option<String>,
    pub agent: Option<String>,
    pub machine: Option<String>,
    pub filtered: bool,
    pub reasons: Vec<String>,
    pub forwarded_at: Option<Timestamp>,
    pub forward_error: Option<String>,
    pub has_decisions: bool,
    /// What an operator did through Garrison.
    pub ours: bool,
    pub actor: Option<String>,
}

/// All that the tenant's rows say.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Known {
    pub said: Vec<Said>,
    pub copies: Vec<Copy>,
    pub places: Vec<Place>,
    pub allowed: Vec<Entry>,
    /// A list that an entry can be added to.
    pub allowlist: Option<String>,
    pub alerts: Vec<AlertSeen>,
    pub machines: HashMap<i64, String>,
}

impl Known {
    /// The server's name.
    #[must_use]
    pub fn server(&self, id: i64) -> String {
        let place = self.places.iter().find(|place| place.id == id);
        place.map_or_else(|| format!("server {id}"), |place| place.name.clone())
    }

    /// Who says it, in words.
    #[must_use]
    pub fn who(&self, said: &Said) -> String {
        match said.source {
            Source::Server(id) => format!("LAPI server {}", self.server(id)),
            Source::Signal(id) => match self.machines.get(&id) {
                Some(name) => format!("machine {name}"),
                None => format!("machine {id}"),
            },
            Source::Analyzer(id) => said.actor.clone().unwrap_or_else(|| format!("analyzer {id}")),
            Source::Hand => match &said.actor {
                Some(actor) => format!("{actor}, by hand"),
                None => "an operator, by hand".to_owned(),
            },
        }
    }

    /// Whether an allowlist covers all of the block.
    #[must_use]
    pub fn is_allowed(&self, block: &Block) -> bool {
        self.allowed.iter().any(|entry| covers(&entry.value, block))
    }
}

/// Whether a value is about the whole block.
#[must_use]
pub fn covers(value: &str, block: &Block) -> bool {
    parse_block(value).is_some_and(|of| of.contains_block(block))
}

/// Whether a server's decision comes from CAPI or a list, which reach it without Garrison.
#[must_use]
pub fn is_from_elsewhere(origin: &str) -> bool {
    let origin = origin.to_lowercase();
    origin == "capi" || origin == "lists" || origin.starts_with("lists:")
}

/// What blocks the address, for the choice of what can be done: the servers' answers first, as they can be lifted one by
/// one, then the set, then copies of what the set does not hold any more.
#[must_use]
pub fn situation<'a>(known: &'a Known, live: &'a [ServerResult], asked: bool, block: &Block) -> Situation {
    let mut held: Vec<Held> = Vec::new();
    for result in live {
        let writes = known
            .places
            .iter()
            .any(|p| p.name == result.server && p.can_write);
        for decision in result.decisions.iter().filter(|d| covers(&d.value, block)) {
            held.push(Held {
                value: decision.value.clone(),
                kind: decision.kind.clone(),
                at: Some((result.server.clone(), decision.id)),
                elsewhere: is_from_elsewhere(&decision.origin),
                writes,
            });
        }
    }
    for said in known
        .said
        .iter()
        .filter(|s| s.lifted_at.is_none() && covers(&s.value, block))
    {
        held.push(Held::here(&said.value, &said.kind));
    }
    Situation {
        block: *block,
        allowed: known.is_allowed(block),
        asked,
        servers: known.places.len(),
        allowlist: known.allowlist.clone(),
        held,
    }
}
