//! The integration tests: black-box, over HTTP and the command line, against the built binary.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::pedantic,
    clippy::disallowed_methods
)]

mod cmd;
mod contract;
mod db;
mod drill;
mod fleet;
mod gate;
mod manage;
mod support;
