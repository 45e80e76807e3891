//! Which addresses may be asked about, and how long an answer is good.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;

use crate::kernel::net::{Block, parse_block};
use crate::outbound::directory::Told;

/// Longest text of a request that is looked at.
const LONGEST: usize = 64;
/// How long an answer with a part missing is good at most.
const INCOMPLETE: Duration = Duration::from_mins(10);

/// Whose an address is. Only of a global one anybody else knows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// It means the same everywhere.
    Global,
    /// Of a network of one's own.
    Private,
    /// This very machine.
    Loopback,
    /// Of one cable.
    LinkLocal,
    /// Of a carrier's own network (RFC 6598).
    Shared,
    /// An example in a text.
    Documentation,
    /// Many at once.
    Multicast,
    /// For protocols and for later; no host has it.
    Reserved,
}

/// The first row that holds an address decides.
const TABLE: &[(&str, Scope)] = &[
    ("10.0.0.0/8", Scope::Private),
    ("172.16.0.0/12", Scope::Private),
    ("192.168.0.0/16", Scope::Private),
    ("127.0.0.0/8", Scope::Loopback),
    ("169.254.0.0/16", Scope::LinkLocal),
    ("100.64.0.0/10", Scope::Shared),
    ("192.0.2.0/24", Scope::Documentation),
    ("198.51.100.0/24", Scope::Documentation),
    ("203.0.113.0/24", Scope::Documentation),
    ("224.0.0.0/4", Scope::Multicast),
    // This network, protocol assignments, 6to4 relays, benchmarks, later, broadcast.
    ("0.0.0.0/8", Scope::Reserved),
    ("192.0.0.0/24", Scope::Reserved),
    ("192.88.99.0/24", Scope::Reserved),
    ("198.18.0.0/15", Scope::Reserved),
    ("240.0.0.0/4", Scope::Reserved),
    ("0.0.0.0/0", Scope::Global),
    ("::1", Scope::Loopback),
    ("fc00::/7", Scope::Private),
    ("fe80::/10", Scope::LinkLocal),
    // Site-local: private until 2004.
    ("fec0::/10", Scope::Private),
    ("ff00::/8", Scope::Multicast),
    ("2001:db8::/32", Scope::Documentation),
    ("3fff::/20", Scope::Documentation),
    // Protocol assignments with Teredo and ORCHID, 6to4: what stands in them may be a private address.
    ("2001::/23", Scope::Reserved),
    ("2002::/16", Scope::Reserved),
    ("2000::/3", Scope::Global),
    ("::/0", Scope::Reserved),
];

impl Scope {
    /// Of this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        static BLOCKS: LazyLock<Vec<(Block, Scope)>> = LazyLock::new(|| {
            let row = |(text, scope): &(&str, Scope)| parse_block(text).map(|block| (block, *scope));
            TABLE.iter().filter_map(row).collect()
        });
        let found = BLOCKS.iter().find(|(block, _)| block.contains(address));
        found.map_or(Self::Reserved, |(_, scope)| *scope)
    }

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Shared => "shared",
            Self::Documentation => "documentation",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        }
    }

    /// Why nobody is asked; `None` where somebody is.
    #[must_use]
    pub fn silence(self) -> Option<String> {
        let name = self.name();
        (self != Self::Global).then(|| format!("nobody is asked about an address of this range ({name})"))
    }
}

/// The address that is asked about: of a range its first.
#[must_use]
pub fn subject(text: &str) -> Option<IpAddr> {
    let block = parse_block(text).filter(|_| text.len() <= LONGEST)?;
    Some(block.lo())
}

/// An answer, and how long it is good.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What was found.
    pub told: Told,
    /// When.
    pub fetched_at: Timestamp,
    /// From now on.
    pub left: Duration,
}

/// How long an answer is good: briefly when no registry told anything, less long when a part of it failed.
#[must_use]
pub fn good_for(told: &Told, keep: Duration, keep_failures: Duration) -> Duration {
    match (&told.registration, told.failures.is_empty()) {
        (None, _) => keep_failures.min(keep),
        (Some(_), false) => keep.min(INCOMPLETE),
        (Some(_), true) => keep,
    }
}

#[cfg(test)]
#[path = "model/tests.rs"]
mod tests;
