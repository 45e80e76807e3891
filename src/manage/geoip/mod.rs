//! Alerts that are looked up again: what was stored while there was no file to tell, and all of them on request.

mod jobs;
mod model;
mod queries;

pub use jobs::{refresh, stores_with};
pub use queries::{request, request_all};
