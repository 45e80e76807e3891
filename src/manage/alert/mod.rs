//! Alerts: what was stored, newest first.

mod model;
mod queries;
mod routes;

pub use model::{AlertView, Conditions, Filter, Window};
pub use queries::{Asked, ask, list_by_key, scenarios};
pub use routes::routes;
