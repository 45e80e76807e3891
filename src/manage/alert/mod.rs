//! Alerts: what was stored, newest first.

mod model;
mod queries;
mod routes;

pub use model::{AlertView, Conditions, Filter};
pub use queries::list_by_key;
pub use routes::routes;
