//! The audit trail: who did what in a tenant, and the proof that nobody changed it since.

mod model;
mod queries;
mod routes;

pub use model::{Anchor, Conditions, EntryView, Expected, Filter, Verdict};
pub use queries::{begin, list, list_trails, verify};
pub use routes::routes;
