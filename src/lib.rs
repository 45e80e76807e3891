//! Garrison: the fleet gate and command post for defended servers.
//!
//! The list of modules is the map; `docs/architecture.md` says which may use which.

pub mod api;
pub mod app;
pub mod cmd;
pub mod config;
pub mod db;
pub mod fleet;
pub mod gate;
pub mod http;
pub mod jobs;
pub mod kernel;
pub mod manage;
pub mod outbound;
