//! From the bytes of a push to rows: pure, item by item.

mod batch;
mod field;
mod key;
mod parse;
mod place;

pub use batch::{BatchError, ITEM_LIMIT, Item, split};
pub use key::{Occurrences, alert_key};
pub use parse::{DECISION_LIMIT, Decision, Rejection, Signal, parse};
pub use place::{address, enrich};

/// Why an alert does or does not leave to CAPI. The number in `alert.forward_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Filtered, looped, or forwarding is off.
    No,
    /// It waits in the outbox.
    Waiting,
}

impl Forward {
    /// The number in `alert.forward_state`.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::No => 0,
            Self::Waiting => 1,
        }
    }
}

/// What Garrison is called on one of the tenant's LAPI servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLogin {
    /// The login of our machine there, which that server puts into what we made it raise.
    pub login: String,
    /// Which engine the server is, where that is known: nobody else's signal is ours.
    pub engine: Option<i64>,
}

/// Whether a signal is the echo of what Garrison itself put on a server: raised by our own machine there.
#[must_use]
pub fn is_echo(signal: &Signal, machine: i64, ours: &[OwnLogin]) -> bool {
    let by = signal.agent.as_deref();
    ours.iter()
        .any(|own| by == Some(own.login.as_str()) && own.engine.is_none_or(|engine| engine == machine))
}

/// Decides whether a signal leaves. A loop, a decision of our own or of CrowdSieve's that comes back from an engine,
/// never does; it is stored like any other.
#[must_use]
pub fn forward(signal: &Signal, filtered: bool, enabled: bool, echo: bool) -> Forward {
    let ours = |origin: &str| {
        let origin = origin.to_ascii_lowercase();
        origin.starts_with("garrison") || origin.starts_with("crowdsieve")
    };
    let looped = signal
        .decisions
        .iter()
        .any(|d| d.origin.as_deref().is_some_and(ours));
    if enabled && !filtered && !looped && !echo {
        Forward::Waiting
    } else {
        Forward::No
    }
}
