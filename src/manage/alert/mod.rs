//! Alerts: what was stored, newest first.

mod model;
mod queries;
mod routes;

pub use model::{Conditions, Filter};
pub use routes::routes;
