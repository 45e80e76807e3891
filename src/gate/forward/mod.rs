//! Forwarding: what waits in a machine's log goes to CAPI, in order, at least once, in the engine's own JSON.

mod jobs;
mod model;
mod queries;

pub use jobs::Forward;
