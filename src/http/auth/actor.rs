use std::sync::Arc;

use super::{Caller, Machine, Operator};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Actor {
    Token { id: i64, name: Arc<str> },
    User { id: i64, name: Arc<str> },
    Machine { id: i64, login: Arc<str> },
    Cli,
    Auto(&'static str),
}

impl Operator {
    /// Who this is, for what is put on record.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Token {
            id: self.token_id,
            name: format!("token {}", self.token_id).into(),
        }
    }
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
