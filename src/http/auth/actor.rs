use std::sync::Arc;

use super::{Caller, Machine};

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A program, by its API token.
    Token {
        /// The token's number.
        id: i64,
        /// What people know it by.
        name: Arc<str>,
    },
    /// A person.
    User {
        /// The person's number.
        id: i64,
        /// The address they log in with, and that they act as the platform's admin where they do.
        name: Arc<str>,
    },
    /// A CrowdSec engine.
    Machine {
        /// The machine's number.
        id: i64,
        /// Its login at CAPI.
        login: Arc<str>,
    },
    /// Who may run commands on the server.
    Cli,
    /// A part of Garrison that acts by itself.
    Auto(&'static str),
}

impl Machine {
    /// Who this is, for what is put on record.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Machine {
            id: self.id,
            login: Arc::clone(&self.login),
        }
    }
}

impl Caller {
    /// Who this is, for what is put on record: a login that no tenant has yet is known once it is enrolled.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::Machine(machine) => machine.actor(),
            Self::Unbound(_) => Actor::Auto("enrolment"),
        }
    }
}
