//! What engines tell of themselves, as it is to be stored.
//!
//! Engines keep what was not acknowledged and send it again among what came since, so it is the set of one window that is
//! recognised, not the body. What cannot be read is left out alone, and counted.

mod item;
mod json;
mod plain;
mod usage;

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

pub use item::Counters;
pub use plain::read_plain;
pub use usage::read_usage;

use crate::kernel::net::parse_address;

/// Components, and sets of them, that one body may have.
const COMPONENTS: usize = 20_000;
/// Longest name of a component, and of what it says of itself.
const NAME: usize = 200;
const WORD: usize = 100;

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A bouncer.
    Remediation,
    /// An agent that reads logs.
    LogProcessor,
    /// The engine's Local API.
    LocalApi,
}

impl Kind {
    /// As the database has it.
    pub const fn code(self) -> i16 {
        match self {
            Self::Remediation => 1,
            Self::LogProcessor => 2,
            Self::LocalApi => 3,
        }
    }
}

/// A component as it was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Component {
    /// What sort of bouncer.
    pub sort: Option<String>,
    pub os_name: Option<String>,
    pub os_version: Option<String>,
    pub version: Option<String>,
    /// Its last pull or push.
    pub active_at: Option<Timestamp>,
}

/// What a component counted in one window.
#[derive(Debug, PartialEq, Eq)]
pub struct MetricSet {
    /// The same for the same set, whenever it comes.
    pub key: Uuid,
    pub kind: Kind,
    pub name: String,
    pub collected_at: Timestamp,
    pub window_seconds: Option<i32>,
    pub counters: Counters,
    /// Items that are none.
    pub skipped: usize,
    /// A JSON array.
    pub items: String,
}

/// What of a body could be understood.
#[derive(Debug, Default)]
pub struct Told {
    /// By kind and name: the order in which they are stored, so that two bodies wait for one another.
    pub components: BTreeMap<(Kind, String), Component>,
    pub sets: Vec<MetricSet>,
    /// Items, sets and components that could not be read.
    pub skipped: usize,
}

/// The body is no JSON object.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no JSON object")]
pub struct Unreadable;

/// The name without the address that an engine adds for a bouncer that pulls from a second one.
fn shown(name: &str) -> &str {
    match name.rsplit_once('@') {
        Some((base, end))
            if !base.is_empty() && (end == "ipv4" || end == "ipv6" || parse_address(end).is_some()) =>
        {
            base
        }
        _ => name,
    }
}

impl Told {
    /// Takes a component up; none when its name is none or there are too many.
    fn register(&mut self, kind: Kind, name: &str, component: Component) -> Option<String> {
        let name = shown(name);
        let key = (kind, name.to_owned());
        let known = self.components.get(&key);
        if name.chars().count() > NAME || known.is_none() && self.components.len() >= COMPONENTS {
            return None;
        }
        // Of two by one name, the one that is in use.
        if known.is_none_or(|known| known.active_at <= component.active_at) {
            self.components.insert(key, component);
        }
        Some(name.to_owned())
    }
}

#[cfg(test)]
mod tests;
