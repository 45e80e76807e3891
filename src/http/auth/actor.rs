use std::sync::Arc;

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
