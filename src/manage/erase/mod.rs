//! Erasure: an address, or a tenant, taken out of every row; with a count of what went, and the proof that is kept.

mod jobs;
mod model;
mod queries;

pub use jobs::{
    Standing, TEXTS, address, everything, forget_standing, portion, settle_counts, standing, withdraw,
};
pub use model::{Counts, mask};
pub use queries::{Erasure, Kind, count, count_copies, insert, list_erasures, list_said};
